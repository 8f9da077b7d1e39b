import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { NatsSource } from './binary.ts';

/**
 * The release, and the SHA-256 of its archives. The sums are pinned here and not read from the
 * release, whose own list changes together with its files. A platform without a pin is not fetched.
 */
export const RELEASE = {
  version: '2.15.1',
  sha256: {
    'linux-amd64': 'bf5edc7b1ce98e885c368cb43a886eb148dc5d0551d99f3cf6141fb5e1954c70',
    'linux-arm64': 'e2fbab4cad7d3c76e3052eb959570393c9d73ba756b70bf8e9eea61e9ae6d49c',
  } as Readonly<Record<string, string>>,
} as const;

/** Until the answer begins: an unreachable GitHub costs this much and no more. */
const ANSWER_MS = 3_000;
const DOWNLOAD_MS = 120_000;
const run = promisify(execFile);

export const githubRelease: NatsSource = {
  name: `release ${RELEASE.version} from GitHub`,
  async fetch(folder) {
    const platform = `${process.platform}-${process.arch === 'x64' ? 'amd64' : process.arch}`;
    const pinned = RELEASE.sha256[platform];
    if (pinned === undefined) throw new Error(`no checksum is pinned for ${platform}`);
    const stem = `nats-server-v${RELEASE.version}-${platform}`;
    const url = `https://github.com/nats-io/nats-server/releases/download/v${RELEASE.version}/${stem}.tar.gz`;
    const archive = await download(url);
    const sum = createHash('sha256').update(archive).digest('hex');
    if (sum !== pinned) throw new Error(`the archive has SHA-256 ${sum}, pinned is ${pinned}`);
    await writeFile(`${folder}/archive.tar.gz`, archive);
    await run('tar', ['-xzf', `${folder}/archive.tar.gz`, '-C', folder, `${stem}/nats-server`]);
    return `${folder}/${stem}/nats-server`;
  },
};

async function download(url: string): Promise<Uint8Array> {
  const unanswered = new AbortController();
  const timer = setTimeout(() => unanswered.abort(new Error(`no answer within ${ANSWER_MS} ms`)), ANSWER_MS);
  try {
    const signal = AbortSignal.any([unanswered.signal, AbortSignal.timeout(DOWNLOAD_MS)]);
    const response = await fetch(url, { signal });
    clearTimeout(timer);
    if (!response.ok) throw new Error(`the answer is ${response.status}`);
    return new Uint8Array(await response.arrayBuffer());
  } finally {
    clearTimeout(timer);
  }
}
