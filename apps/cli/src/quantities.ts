/** `41 ms`, and from ten seconds on `12 s`. */
export const milliseconds = (ms: number): string =>
  ms < 10_000 ? `${Math.round(ms)} ms` : `${Math.round(ms / 1_000)} s`;

/** `640 B`, `3.4 kB`, `120 MB`. */
export function bytes(count: number): string {
  const [unit, size] = UNITS.find(([, size]) => count >= size) ?? (['B', 1] as const);
  const amount = count / size;
  return `${size === 1 || amount >= 10 ? Math.round(amount) : amount.toFixed(1)} ${unit}`;
}

const UNITS = [
  ['GB', 1e9],
  ['MB', 1e6],
  ['kB', 1e3],
] as const;
