import { MAX_DELAY_MS } from '@causeway/local';
import { InvalidArgumentError } from 'commander';

const MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const FORM = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/;

/** Milliseconds of `120ms`, `1.5s`, `2h` or a bare number in `unit`; for commander. */
export const duration =
  (unit: keyof typeof MS) =>
  (text: string): number => {
    const [, amount, given] = FORM.exec(text.trim()) ?? [];
    if (amount === undefined) throw new InvalidArgumentError(`Write a time like 120ms, 2s, 30m or 12h.`);
    return Number(amount) * MS[(given ?? unit) as keyof typeof MS];
  };

/** Milliseconds that a link can delay what it carries; for commander. */
export function delay(text: string): number {
  const ms = duration('ms')(text);
  if (ms > MAX_DELAY_MS) throw new InvalidArgumentError(`A link delays by ${MAX_DELAY_MS / 1_000}s at most.`);
  return ms;
}
