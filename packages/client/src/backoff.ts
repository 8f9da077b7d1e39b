const FIRST_MS = 250;
const MOST_MS = 15_000;

/**
 * How long to wait after `attempts` failures, milliseconds: doubles from 250 ms to 15 s, the upper
 * half of it random, so that many clients that lost one server do not come back at once.
 */
export function backoffMs(attempts: number, random: () => number): number {
  const whole = Math.min(MOST_MS, FIRST_MS * 2 ** Math.max(0, attempts - 1));
  return whole / 2 + (whole / 2) * random();
}

/** Resolves after `ms`, or at once when the signal fires; leaves no timer then. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
  });
}
