import { expect, test } from 'vitest';
import { changeBetween, movedBy } from './text-change.ts';

test('typing, deleting and replacing are one change each', () => {
  expect(changeBetween('ab', 'axb', 2)).toEqual({ index: 1, remove: 0, insert: 'x' });
  expect(changeBetween('axb', 'ab', 1)).toEqual({ index: 1, remove: 1, insert: '' });
  expect(changeBetween('one two', 'one three', 9)).toEqual({ index: 5, remove: 2, insert: 'hree' });
  expect(changeBetween('same', 'same', 4)).toBeUndefined();
});

test('among equal letters the caret says which one was typed', () => {
  expect(changeBetween('aa', 'aaa', 1)).toEqual({ index: 0, remove: 0, insert: 'a' });
  expect(changeBetween('aa', 'aaa', 3)).toEqual({ index: 2, remove: 0, insert: 'a' });
});

test('a change makes of the text before the text after', () => {
  const texts = ['', 'a', 'aa', 'ab', 'ba', 'aba', 'abba', 'bab', 'aabb'];
  for (const before of texts)
    for (const after of texts)
      for (let caret = 0; caret <= after.length; caret++) {
        const { index, remove, insert } = changeBetween(before, after, caret) ?? {
          index: 0,
          remove: 0,
          insert: '',
        };
        expect(before.slice(0, index) + insert + before.slice(index + remove)).toBe(after);
      }
});

test('a character of two units is never taken apart', () => {
  expect(changeBetween('a😀b', 'a😁b', 3)).toEqual({ index: 1, remove: 2, insert: '😁' });
  expect(changeBetween('😀', '🤀', 2)).toEqual({ index: 0, remove: 2, insert: '🤀' });
});

test('a caret keeps its place when others write before it, and stays put when they write after it', () => {
  expect(movedBy({ index: 0, remove: 0, insert: 'abc' }, 5)).toBe(8);
  expect(movedBy({ index: 6, remove: 0, insert: 'abc' }, 5)).toBe(5);
  expect(movedBy({ index: 0, remove: 2, insert: '' }, 5)).toBe(3);
  expect(movedBy({ index: 3, remove: 9, insert: '' }, 5)).toBe(3);
});
