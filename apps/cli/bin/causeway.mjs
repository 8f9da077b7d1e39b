#!/usr/bin/env node
// Runs on whatever Node a machine has and hands over to the Node 24 that npm installed beside it.
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const require = createRequire(import.meta.url);

function node24() {
  if (Number(process.versions.node.split('.')[0]) >= 24) return process.execPath;
  try {
    return require.resolve(`node-${process.platform}-${process.arch}/bin/node`);
  } catch {
    console.error(
      `causeway needs Node 24 or newer and this is ${process.version}. ` +
        'On Linux npm installs it with the other dependencies: run npm ci. Elsewhere, install Node 24.',
    );
    process.exit(1);
  }
}

const child = spawn(node24(), [main, ...process.argv.slice(2)], { stdio: 'inherit' });
// Ctrl-C reaches the child by itself (same terminal); a kill of this process must be handed on.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('exit', (code, signal) => {
  process.exitCode = code ?? (signal === null ? 1 : 128);
});
