/** The value below which `share` of the samples lie. */
export function percentile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
}

export const median = (samples: readonly number[]): number => percentile(samples, 0.5);

/** One line of the result. */
export type Figure = { what: string; value: string; note?: string };

export const ms = (value: number): string => `${value.toFixed(1)} ms`;
export const kilobytes = (bytes: number): string => `${(bytes / 1_000).toFixed(1)} KB`;
export const perSecond = (count: number, elapsedMs: number): string =>
  `${Math.round((count / elapsedMs) * 1000).toLocaleString('en')}/s`;

export function table(figures: readonly Figure[]): string {
  const width = Math.max(...figures.map(({ what }) => what.length));
  const values = Math.max(...figures.map(({ value }) => value.length));
  return figures
    .map(({ what, value, note = '' }) =>
      `${what.padEnd(width)}  ${value.padStart(values)}  ${note}`.trimEnd(),
    )
    .join('\n');
}
