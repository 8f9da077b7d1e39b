import type { ShownMessage } from '@causeway/client';
import { expect, test } from 'vitest';
import { threadsOf } from './threads.ts';

const message = (id: string, thread?: string): ShownMessage => ({
  id,
  author: 'ada',
  body: id,
  t: id,
  at: 0,
  region: 'us-east',
  ...(thread === undefined ? {} : { thread }),
});
const shape = (messages: ShownMessage[]) =>
  threadsOf(messages).map(({ root, replies }) => [root.id, ...replies.map(({ id }) => id)]);

test('answers, and answers to answers, stand below the first message', () => {
  expect(shape([message('a'), message('b'), message('c', 'a'), message('d', 'c')])).toEqual([
    ['a', 'c', 'd'],
    ['b'],
  ]);
});

test('an answer to what is not loaded stands by itself, in its place', () => {
  expect(shape([message('a'), message('b', 'gone'), message('c')])).toEqual([['a'], ['b'], ['c']]);
});
