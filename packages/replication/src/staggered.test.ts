import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { staggered } from './staggered.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

const late: string[] = [];
const by = { everyMs: 500, most: 3, late: (value: string) => void late.push(value) };

test('one that hangs holds up nobody: the next one succeeds, and what comes too late is given back', async () => {
  const attempts = [0, 1, 2].map(() => Promise.withResolvers<string>());
  let begun = 0;
  const first = staggered(() => attempts[begun++]!.promise, by);
  await vi.advanceTimersByTimeAsync(499);
  expect(begun).toBe(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(begun).toBe(2);
  attempts[1]!.resolve('second');
  expect(await first).toBe('second');
  attempts[0]!.resolve('first');
  await vi.advanceTimersByTimeAsync(5_000);
  expect([begun, late]).toEqual([2, ['first']]);
});

test('a refusal is told at once, unless another attempt is under way', async () => {
  await expect(staggered(() => Promise.reject<string>(new Error('refused')), by)).rejects.toThrow('refused');
  const attempts = [0, 1, 2].map(() => Promise.withResolvers<string>());
  let begun = 0;
  const all = staggered(() => attempts[begun++]!.promise, by);
  all.catch(() => undefined);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(begun).toBe(3);
  for (const [at, { reject }] of attempts.entries()) reject(new Error(`silence ${at}`));
  await expect(all).rejects.toThrow('silence 2');
});
