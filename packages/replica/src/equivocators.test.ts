import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as Y from 'yjs';
import { comparableOf, isSameVector } from './comparable.ts';
import { canonicalState } from './digest.ts';
import { equivocatorsOf } from './equivocators.ts';
import { integrate } from './integrate.ts';
import { moved, moves, steps, updatesOf, world } from './random-edits.ts';

const NAME = 'acme/canvas/plan';

function copy(...updates: readonly Uint8Array[]): Y.Doc {
  const doc = new Y.Doc();
  for (const update of updates) integrate(doc, update, 'peer');
  return doc;
}

function written(client: number, write: (doc: Y.Doc) => void, onto: Uint8Array[] = []): Uint8Array {
  const doc = copy(...onto);
  const before = Y.encodeStateVector(doc);
  doc.clientID = client;
  write(doc);
  return Y.encodeStateAsUpdate(doc, before);
}

const text =
  (content: string, at = 0) =>
  (doc: Y.Doc) =>
    doc.getText('t').insert(at, content);
/** Both ways until nothing is missing on either side. */
function exchanged(one: Y.Doc, other: Y.Doc): [Y.Doc, Y.Doc] {
  for (let n = 0; n < 3; n++) {
    integrate(one, Y.encodeStateAsUpdate(other, Y.encodeStateVector(one)), 'peer');
    integrate(other, Y.encodeStateAsUpdate(one, Y.encodeStateVector(other)), 'peer');
  }
  return [one, other];
}
const found = (one: Y.Doc, other: Y.Doc): number[] =>
  equivocatorsOf(canonicalState(one), canonicalState(other));

describe('who wrote two things under one clock', () => {
  const honest = written(1, text('honest'));
  const lies: [string, (doc: Y.Doc) => void, (doc: Y.Doc) => void][] = [
    ['another text', text('aaa'), text('abc')],
    ['a longer text', text('aaa'), text('bbbbb')],
    ['the same text elsewhere', text('aaa', 0), text('aaa', 3)],
    ['another key', (doc) => doc.getMap('m').set('a', 1), (doc) => doc.getMap('m').set('b', 1)],
    ['another value', (doc) => doc.getMap('m').set('a', 1), (doc) => doc.getMap('m').set('a', 2)],
    ['another root', text('aaa'), (doc) => doc.getText('other').insert(0, 'aaa')],
    [
      'an element and a text',
      (doc) => doc.getXmlFragment('x').insert(0, [new Y.XmlElement('p')]),
      (doc) => doc.getXmlFragment('x').insert(0, [new Y.XmlText()]),
    ],
    [
      'items of a list',
      (doc) => doc.getArray('l').push([1, { deep: ['x'] }, 3]),
      (doc) => doc.getArray('l').push([1, { deep: ['y'] }, 3]),
    ],
  ];
  for (const [what, one, other] of lies)
    it(`R1 is found by ${what}`, () => {
      const copies = exchanged(
        copy(honest, written(7, one, [honest])),
        copy(honest, written(7, other, [honest])),
      );
      expect(found(...copies)).toEqual([7]);
      expect(found(copies[1], copies[0])).toEqual([7]);
      const [ours, theirs] = copies.map((doc) => comparableOf(NAME, doc));
      expect(ours!.digest).not.toBe(theirs!.digest);
      expect(ours!.deletes).toBe(theirs!.deletes);
      expect(isSameVector(ours!.stateVector, theirs!.stateVector)).toBe(true);
      expect([ours!.pending, theirs!.pending]).toEqual([false, false]);
    });

  it('R1 those who wrote on top of it are not to blame, what they wrote may be collected in one copy', () => {
    const one = written(7, (doc) => doc.getXmlFragment('x').insert(0, [new Y.XmlElement('p')]));
    const other = written(7, (doc) => doc.getXmlFragment('x').insert(0, [new Y.XmlText('ab')]));
    const inside = written(
      2,
      (doc) => (doc.getXmlFragment('x').get(0) as Y.XmlElement).insert(0, [new Y.XmlText('honest')]),
      [one],
    );
    expect(found(...exchanged(copy(one, inside), copy(other, inside)))).toEqual([7]);
  });

  it('R1 what was deleted is compared by its place only, and a difference of that kind is the last resort', () => {
    const [one, other] = [written(7, text('aaa')), written(7, text('bbb'))];
    const erase = (of: Uint8Array): Uint8Array => written(2, (doc) => doc.getText('t').delete(0, 3), [of]);
    expect(found(...exchanged(copy(one, erase(one)), copy(other, erase(other))))).toEqual([]);
    expect(equivocatorsOf(canonicalState(copy(one)), canonicalState(copy(other, erase(other))))).toEqual([7]);
  });

  it('R1 copies of honest people differ by nobody, whatever arrived in which order', () => {
    fc.assert(
      fc.property(steps, moves(40), fc.nat(), (steps, moves, cut) => {
        const rows = updatesOf(steps);
        const order = moved(rows, moves);
        expect(found(copy(...rows), copy(...order))).toEqual([]);
        // A copy that lacks some of it too, deletes among that, when there is somebody to blame.
        const [one, other] = ['aaa', 'bbb'].map((lie) => written(77, text(lie)));
        const some = order.slice(cut % (order.length + 1));
        expect(found(copy(one!, ...rows), copy(other!, ...some))).toEqual([77]);
      }),
      { seed: 1, numRuns: 500 },
    );
  });

  it('R15 equal vectors and deletes of honest copies are equal content: no alarm without a lie', () => {
    let alike = 0;
    for (let seed = 1; seed <= 1_000; seed++) {
      const rows = world(seed);
      const half = rows.length >> 1;
      const [one, other] = exchanged(
        copy(...rows.slice(0, half + 3)),
        copy(...rows.slice(half).toReversed()),
      );
      const [ours, theirs] = [comparableOf(NAME, one), comparableOf(NAME, other)];
      if (ours.pending || theirs.pending || ours.deletes !== theirs.deletes) continue;
      if (!isSameVector(ours.stateVector, theirs.stateVector)) continue;
      alike++;
      expect(ours.digest, `seed ${seed}`).toBe(theirs.digest);
    }
    expect(alike).toBeGreaterThan(500);
  });
});
