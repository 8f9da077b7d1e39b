import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';

const HOUR_MS = 3_600_000;
const preload = new URL('skewed-clock.ts', import.meta.url).href;

test('a process with a skewed clock has another time of day, everywhere, and dates as ever', () => {
  const code = `console.log(JSON.stringify({
    times: [Date.now(), +new Date(), Date.parse(Date()), new Date().getTime()],
    fixed: [new Date(5).getTime(), new Date('1970-01-02').getTime(), Date.UTC(1970, 0, 2), new Date(1970, 0, 2).getDate()],
    isDate: new Date() instanceof Date && new (class extends Date {})() instanceof Date,
    uptime: performance.now(),
  }))`;
  const said = JSON.parse(
    execFileSync(process.execPath, ['--import', preload, '--eval', code], {
      env: { ...process.env, CAUSEWAY_CLOCK_SKEW_MS: String(-2 * HOUR_MS) },
      encoding: 'utf8',
    }),
  ) as { times: number[]; fixed: number[]; isDate: boolean; uptime: number };
  for (const time of said.times) expect(Math.abs(time - (Date.now() - 2 * HOUR_MS))).toBeLessThan(HOUR_MS);
  expect(said.fixed).toEqual([5, 24 * HOUR_MS, 24 * HOUR_MS, 2]);
  expect(said.isDate).toBe(true);
  expect(said.uptime).toBeLessThan(HOUR_MS);
});
