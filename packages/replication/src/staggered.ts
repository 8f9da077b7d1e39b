/** How attempts follow one another. */
export type Staggering<T> = {
  /** Milliseconds until another attempt is begun beside those that are under way. */
  everyMs: number;
  /** Attempts in all. */
  most: number;
  /** What to do with one that succeeds too late. */
  late(value: T): void;
};

/**
 * The first of several attempts that succeeds. Another one is begun beside those under way every so
 * often: one that fell into a silent link hangs until it times out, though the link has healed
 * meanwhile. Rejects with the last error when none is under way any more.
 */
export async function staggered<T>(
  attempt: () => Promise<T>,
  { everyMs, most, late }: Staggering<T>,
): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  let [begun, underWay, isOver] = [0, 0, false];
  let timer: ReturnType<typeof setTimeout> | undefined;
  const end = (): void => {
    isOver = true;
    clearTimeout(timer);
  };
  const begin = (): void => {
    underWay++;
    if (++begun < most) timer = setTimeout(begin, everyMs);
    attempt().then(
      (value) => {
        if (isOver) return late(value);
        end();
        resolve(value);
      },
      (error: unknown) => {
        if (--underWay > 0 || isOver) return;
        end();
        reject(error as Error);
      },
    );
  };
  begin();
  return promise;
}
