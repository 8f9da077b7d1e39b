import { describe, expect, it } from 'vitest';
import { Bucket, Buckets } from './rate-limit.ts';

describe('rate limits', () => {
  it('gives the burst at once, then so much a second, never more than the burst', () => {
    const bucket = new Bucket(10, 3, 0);
    expect([1, 2, 3, 4].map(() => bucket.take(1, 0))).toEqual([true, true, true, false]);
    expect(bucket.wait(1)).toBe(1);
    expect(bucket.take(1, 99)).toBe(false);
    expect(bucket.take(1, 100)).toBe(true);
    expect([1, 2, 3, 4].map(() => bucket.take(1, 60_000))).toEqual([true, true, true, false]);
  });

  it('a clock that is set back takes nothing away', () => {
    const bucket = new Bucket(10, 3, 60_000);
    expect(bucket.take(1, 0)).toBe(true);
    expect(bucket.take(1, 100)).toBe(true);
    expect(bucket.take(1, 200)).toBe(true);
  });

  it('R10 keeps a bounded number of buckets, those used last', () => {
    const buckets = new Buckets(1, 1);
    const first = buckets.of('first', 0);
    for (let n = 0; n < 19_999; n++) buckets.of(`${n}`, 0);
    expect(buckets.of('first', 0)).toBe(first);
    for (let n = 0; n < 20_000; n++) buckets.of(`more ${n}`, 0);
    expect(buckets.of('first', 0)).not.toBe(first);
  });
});
