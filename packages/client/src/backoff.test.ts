import { afterEach, expect, test, vi } from 'vitest';
import { backoffMs, pause } from './backoff.ts';

afterEach(() => void vi.useRealTimers());

test('it doubles, half of it by chance, up to 15 s', () => {
  expect([1, 2, 3, 20].map((attempts) => backoffMs(attempts, () => 1))).toEqual([250, 500, 1_000, 15_000]);
  expect(backoffMs(1, () => 0)).toBe(125);
});

test('a pause that is called off leaves no timer', async () => {
  vi.useFakeTimers();
  const off = new AbortController();
  const pausing = pause(60_000, off.signal);
  expect(vi.getTimerCount()).toBe(1);
  off.abort();
  await pausing;
  expect(vi.getTimerCount()).toBe(0);
});
