import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../apps/region/src/main.ts', import.meta.url));

export type Ended = { code: number | null; output: string };

/** Runs the server of a region to its end: its exit code and all that it said. */
export function runServer(
  env: Readonly<Record<string, string>>,
  onOutput: (output: string, end: () => void) => void = () => undefined,
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [MAIN], { env: { ...process.env, ...env } });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (data: Buffer) => {
        output += data.toString();
        onOutput(output, () => child.kill('SIGTERM'));
      });
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, output }));
  });
}

/** Writes a manifest that differs from another one in some fields; its path. */
export function manifestLike(file: string, name: string, change: (manifest: Manifest) => void): string {
  const manifest = JSON.parse(readFileSync(file, 'utf8')) as Manifest;
  change(manifest);
  const path = file.replace('manifest.json', `${name}.json`);
  writeFileSync(path, JSON.stringify(manifest));
  return path;
}

type Manifest = {
  postgres: string;
  listen: { host: string; port: number };
  zones: { nats: { url: string } }[];
  regions: { publicKey: { x: string } }[];
};
