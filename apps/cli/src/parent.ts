import { readFileSync } from 'node:fs';

const LOOK_EVERY_MS = 500;

/**
 * Calls `gone` when bin/causeway.mjs, which only waits for us, was killed: a world should not stay
 * behind unseen. Started by anything else, we outlive our parent as programs do.
 */
export function watchLauncher(gone: () => void): () => void {
  const parent = process.ppid;
  if (!isOurBin(parent)) return () => undefined;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    gone();
  }, LOOK_EVERY_MS);
  timer.unref();
  return () => clearInterval(timer);
}

function isOurBin(pid: number): boolean {
  try {
    const [, script = ''] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return /\/causeway(\.mjs)?$/.test(script);
  } catch {
    return false;
  }
}
