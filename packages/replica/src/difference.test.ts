import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as Y from 'yjs';
import { Difference } from './difference.ts';
import { canonicalState } from './digest.ts';
import { integrate } from './integrate.ts';
import { steps, updatesOf, world } from './random-edits.ts';

const CHUNK = 256 * 1024;

/** Takes piece after piece into a copy, which never may hold anything pending; how many there were, and the largest. */
function takeAll(doc: Y.Doc, difference: Difference, copy: Y.Doc, bytes: number): number[] {
  const sizes: number[] = [];
  while (!difference.isOver) {
    const piece = difference.take(doc, bytes);
    sizes.push(piece.length);
    Y.applyUpdate(copy, piece);
    expect(copy.store.pendingStructs).toBeNull();
    expect(copy.store.pendingDs).toBeNull();
    expect(sizes.length).toBeLessThan(10_000);
  }
  return sizes;
}

const docOf = (updates: readonly Uint8Array[]): Y.Doc => {
  const doc = new Y.Doc();
  for (const update of updates) integrate(doc, update, 'peer');
  doc.store.pendingStructs = null;
  doc.store.pendingDs = null;
  return doc;
};

/** A document of so many characters, in one struct. */
const book = (text: string): Y.Doc => {
  const doc = new Y.Doc();
  doc.getText('text').insert(0, text);
  return doc;
};

describe('a difference in pieces', () => {
  it('R1 adds up to the document, whatever was known, and no piece leaves anything pending', () => {
    fc.assert(
      fc.property(steps, fc.nat(40), fc.integer({ min: 1, max: 400 }), (taken, known, bytes) => {
        const updates = updatesOf(taken);
        const doc = docOf(updates);
        const copy = docOf(updates.slice(0, known));
        takeAll(doc, Difference.since(doc, Y.encodeStateVector(copy)), copy, bytes);
        expect(canonicalState(copy)).toEqual(canonicalState(doc));
      }),
      { numRuns: 300 },
    );
  });

  it('R1 adds up for random XML worlds too', () => {
    for (let seed = 1; seed <= 200; seed++) {
      const updates = world(seed);
      const doc = docOf(updates);
      const copy = docOf(updates.slice(0, seed % 20));
      takeAll(doc, Difference.since(doc, Y.encodeStateVector(copy)), copy, 50);
      expect(canonicalState(copy), `seed ${seed}`).toEqual(canonicalState(doc));
    }
  });

  it('R1 of updates that a reader missed adds up, though more is missed meanwhile', () => {
    fc.assert(
      fc.property(steps, fc.nat(30), fc.nat(5), (taken, heard, perPiece) => {
        const updates = updatesOf(taken);
        const doc = docOf(updates.slice(0, heard + 1));
        const copy = docOf([]);
        Y.applyUpdate(copy, Y.encodeStateAsUpdate(doc));
        const difference = new Difference();
        const missed = updates.slice(heard + 1);
        const emitted: Uint8Array[] = [];
        doc.on('update', (bytes: Uint8Array) => emitted.push(bytes));
        while (missed.length > 0 || !difference.isOver) {
          for (const update of missed.splice(0, perPiece + 1)) integrate(doc, update, 'peer');
          for (const update of emitted.splice(0)) difference.add(update);
          Y.applyUpdate(copy, difference.take(doc, 100));
          expect(copy.store.pendingStructs).toBeNull();
        }
        doc.store.pendingStructs = null;
        doc.store.pendingDs = null;
        expect(canonicalState(copy)).toEqual(canonicalState(doc));
      }),
      { numRuns: 300 },
    );
  });

  it('R10 cuts a text that is one struct, never inside a character', () => {
    const doc = book('a😀é'.repeat(300_000));
    const copy = new Y.Doc();
    const sizes = takeAll(doc, Difference.since(doc, Uint8Array.of(0)), copy, CHUNK);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(CHUNK + 100);
    expect(sizes.length).toBeLessThan(20);
    expect(copy.getText('text').toString()).toBe(doc.getText('text').toString());
  });

  it('R10 cuts a long run of values and a large set of deletes', () => {
    const doc = new Y.Doc();
    const list = doc.getArray('list');
    list.insert(
      0,
      Array.from({ length: 20_000 }, (_, at) => ({ at, words: 'so many words' })),
    );
    doc.transact(() => {
      for (let at = 10_000; at > 0; at--) if (at % 2 === 0) list.delete(at, 1);
    });
    const copy = new Y.Doc();
    const sizes = takeAll(doc, Difference.since(doc, Uint8Array.of(0)), copy, 8 * 1024);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(8 * 1024 + 100);
    expect(copy.getArray('list').toJSON()).toEqual(list.toJSON());
  });

  it('R10 a piece takes a value that cannot be cut alone', () => {
    const doc = new Y.Doc();
    const map = doc.getMap('m');
    for (let at = 0; at < 5; at++) map.set(`k${at}`, 'x'.repeat(300));
    const copy = new Y.Doc();
    const sizes = takeAll(doc, Difference.since(doc, Uint8Array.of(0)), copy, 200);
    expect(sizes.filter((size) => size > 300)).toHaveLength(5);
    expect(copy.getMap('m').toJSON()).toEqual(map.toJSON());
  });

  it('is one piece where it is small, and only what is new', () => {
    const doc = book('hello');
    const copy = new Y.Doc();
    Y.applyUpdate(copy, Y.encodeStateAsUpdate(doc));
    doc.getText('text').insert(5, ' ocean');
    const sizes = takeAll(doc, Difference.since(doc, Y.encodeStateVector(copy)), copy, CHUNK);
    expect(sizes).toHaveLength(1);
    expect(sizes[0]).toBeLessThan(40);
    expect(copy.getText('text').toString()).toBe('hello ocean');
  });

  it('is what Yjs encodes where that fits, without what is pending', () => {
    const doc = book('hello');
    const difference = Difference.since(doc, Uint8Array.of(0));
    expect(difference.take(doc, CHUNK)).toEqual(Y.encodeStateAsUpdate(doc));
    expect(difference.isOver).toBe(true);
    const again = (): Uint8Array => Difference.since(doc, Uint8Array.of(0)).take(doc, CHUNK);
    expect(again()).toBe(again());
    const [held, last] = [again(), doc.getText('text')];
    last.delete(0, 1);
    expect(again()).not.toEqual(held);
    expect(again()).toEqual(Y.encodeStateAsUpdate(doc));
    const other = book('ocean');
    const before = Y.encodeStateVector(other);
    other.getText('text').insert(5, ' late');
    Y.applyUpdate(doc, Y.encodeStateAsUpdate(other, before));
    expect(doc.store.pendingStructs).not.toBeNull();
    const copy = new Y.Doc();
    takeAll(doc, Difference.since(doc, Uint8Array.of(0)), copy, CHUNK);
    expect(copy.getText('text').toString()).toBe('ello');
  });

  it('throws on bytes that are no state vector', () => {
    expect(() => Difference.since(new Y.Doc(), Uint8Array.of(5))).toThrow();
  });
});
