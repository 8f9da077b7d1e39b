import { expect, test } from 'vitest';
import { delay } from './durations.ts';

test('a delay is at most what a link takes', () => {
  expect(delay('40')).toBe(40);
  expect(delay('60s')).toBe(60_000);
  expect(() => delay('60001')).toThrow('A link delays by 60s at most.');
});
