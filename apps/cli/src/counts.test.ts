import { expect, test } from 'vitest';
import { count } from './counts.ts';

test.each([
  ['1', 1],
  ['200', 200],
])('%s', (text, number) => expect(count(text)).toBe(number));

test.each(['banana', '', '0', '-1', '1.5', '1e3', '9'.repeat(20)])('"%s" is refused', (text) => {
  expect(() => count(text)).toThrow('Write a whole number from 1 on.');
});
