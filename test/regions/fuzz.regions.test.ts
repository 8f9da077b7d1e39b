import { expect, it } from 'vitest';
import { brokenIn, reportOf } from '../fuzz/report.ts';
import { fuzz } from '../fuzz/run.ts';

const SEED = 20_261_128;

it('R10 20,000 malformed, truncated, oversized and out-of-state frames over all doors: the process lives, memory is flat, honest clients see nothing (PAINS 8)', async () => {
  const outcome = await fuzz({ frames: 20_000, seed: SEED });
  expect(brokenIn(outcome), reportOf(outcome, { seed: SEED, machine: 'here' })).toEqual([]);
  for (const { count } of outcome.honest.done.values()) expect(count).toBeGreaterThan(3);
  for (const { door, frames, ends } of outcome.tally.rows()) expect([door, frames, ends]).not.toContain('');
});
