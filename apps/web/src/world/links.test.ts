import { expect, test } from 'vitest';
import { linksOf } from './links.ts';

test('two roads are one link, cut when either is, as slow as the slower one', () => {
  expect(
    linksOf([
      { from: 'a', to: 'b', delayMs: 40 },
      { from: 'b', to: 'a', delayMs: 90, cut: 'black-hole' },
      { from: 'a', to: 'c', delayMs: 10 },
    ]),
  ).toEqual([
    { a: 'a', b: 'b', delayMs: 90, cut: true },
    { a: 'a', b: 'c', delayMs: 10, cut: false },
  ]);
});
