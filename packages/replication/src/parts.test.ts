import { BusDown } from '@causeway/replica';
import { expect, test } from 'vitest';
import { formatPlace, IncomingParts, OutgoingParts, readPlace } from './parts.ts';

const LIMIT = 16 * 1024 * 1024;
const PART = 256 * 1024;
const filled = (length: number): Uint8Array => Uint8Array.from({ length }, (_, n) => (n * 31) & 255);
const cut = (bytes: Uint8Array) => {
  const out = new OutgoingParts(bytes);
  const parts = [];
  while (!out.done) parts.push(out.next());
  return parts;
};

test.each([0, 1, PART - 1, PART, PART + 1, 5 * PART])('R10 %i bytes come out as they went in', (length) => {
  const bytes = filled(length);
  const incoming = new IncomingParts(LIMIT);
  for (const part of cut(bytes)) {
    expect(incoming.complete).toBe(false);
    incoming.add(part.place, part.bytes);
  }
  expect(incoming.complete).toBe(true);
  expect(Buffer.compare(incoming.join(), bytes)).toBe(0);
});

test.each([
  ['backwards', [6, 5, 4, 3, 2, 1, 0]],
  ['twice each', [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6]],
  ['the first one last, others again', [3, 1, 6, 3, 2, 5, 1, 4, 6, 0]],
])('R1 parts may come in any order and again: %s', (_how, order) => {
  const bytes = filled(6 * PART + 7);
  const parts = cut(bytes);
  const incoming = new IncomingParts(LIMIT);
  for (const index of order) incoming.add(parts[index]!.place, parts[index]!.bytes);
  expect(incoming.complete).toBe(true);
  expect(Buffer.compare(incoming.join(), bytes)).toBe(0);
});

test('R10 no more than a window of parts is on its way', () => {
  const out = new OutgoingParts(new Uint8Array(20 * PART));
  const indexes = (have: number): number[] => [...out.after(have)].map(({ place }) => place.index);
  expect(indexes(0)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  expect(indexes(0)).toEqual([]);
  expect(indexes(2)).toEqual([8, 9]);
  expect(indexes(20)).toHaveLength(10);
  expect(out.done).toBe(true);
});

test('R15 a missing part is no whole', () => {
  const incoming = new IncomingParts(LIMIT);
  const [first, , third] = cut(new Uint8Array(3 * PART));
  incoming.add(third!.place, third!.bytes);
  expect(incoming.have).toBe(0);
  incoming.add(first!.place, first!.bytes);
  expect([incoming.have, incoming.complete]).toEqual([1, false]);
});

const refuses = (add: (incoming: IncomingParts) => void): void =>
  expect(() => add(new IncomingParts(10))).toThrow(BusDown);

test('R10 what cannot be a part is refused', () => {
  refuses((incoming) => incoming.add(undefined, new Uint8Array()));
  refuses((incoming) => incoming.add({ index: 1, total: 1 }, new Uint8Array()));
  refuses((incoming) => incoming.add({ index: 0, total: 9_999 }, new Uint8Array()));
  refuses((incoming) => incoming.add({ index: 0, total: 1 }, new Uint8Array(11)));
  refuses((incoming) => {
    incoming.add({ index: 0, total: 3 }, new Uint8Array(1));
    incoming.add({ index: 1, total: 2 }, new Uint8Array(1));
  });
});

test('a place is read as it is written', () => {
  expect(readPlace(formatPlace({ index: 3, total: 7 }))).toEqual({ index: 3, total: 7 });
  for (const text of ['', '3', '3/', '-1/7', '3/7/9', '99999/99999']) expect(readPlace(text)).toBeUndefined();
});
