const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** One Ctrl-C reaches us from the terminal and again from the program that started us. */
const SAME_KEYSTROKE_MS = 500;

/** Calls `stop` at the first request to end and `kill` at the next; returns how to stop listening. */
export function onSignals(
  stop: () => void,
  kill: () => void,
  now: () => number = () => performance.now(),
): () => void {
  let first: number | undefined;
  const heard = (): void => {
    if (first === undefined) {
      first = now();
      stop();
    } else if (now() - first > SAME_KEYSTROKE_MS) kill();
  };
  for (const signal of SIGNALS) process.on(signal, heard);
  return () => {
    for (const signal of SIGNALS) process.off(signal, heard);
  };
}
