import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as Y from 'yjs';
import { bucketOf, canonicalState, documentDigest, scopeDigest } from './digest.ts';
import { integrate } from './integrate.ts';
import { BUCKETS } from './ports.ts';
import { moved, moves, steps, updatesOf, world } from './random-edits.ts';

const NAME = 'acme/canvas/plan';

function replayed(rows: readonly Uint8Array[]): Y.Doc {
  const doc = new Y.Doc();
  for (const row of rows) integrate(doc, row, 'peer');
  return doc;
}

const digestOf = (rows: readonly Uint8Array[]): bigint => documentDigest(NAME, replayed(rows));
/** The first rows compacted, the others after them. */
const compacted = (rows: readonly Uint8Array[], count: number): Uint8Array[] => [
  Y.encodeStateAsUpdate(replayed(rows.slice(0, count))),
  ...rows.slice(count),
];

describe('the digest of a document', () => {
  it('R1 R15 is one number whatever the order of arrival, the process, snapshots or rows', () => {
    fc.assert(
      fc.property(steps, moves(40), fc.nat(), (steps, moves, cut) => {
        const rows = updatesOf(steps);
        const order = moved(rows, moves);
        const digest = digestOf(rows);
        for (const log of [order, order.toReversed(), [...order, ...rows], compacted(order, cut % 40)])
          expect(digestOf(log)).toBe(digest);
        expect(documentDigest(NAME, replayed([canonicalState(replayed(order))]))).toBe(digest);
      }),
      { seed: 1, numRuns: 150 },
    );
  });

  it('R1 R15 also of random XML, where raw encodings of equal states differ', () => {
    let different = 0;
    for (let seed = 1; seed <= 500; seed++) {
      const rows = world(seed);
      const [one, other] = [replayed(rows), replayed(compacted(rows.toReversed(), seed % rows.length))];
      expect(documentDigest(NAME, one), `seed ${seed}`).toBe(documentDigest(NAME, other));
      if (Buffer.compare(Y.encodeStateAsUpdate(one), Y.encodeStateAsUpdate(other)) !== 0) different++;
    }
    // Otherwise the canonical form is for nothing.
    expect(different).toBeGreaterThan(0);
  });

  it('R15 changes with every row that brings something, a delete included', () => {
    fc.assert(
      fc.property(steps, fc.nat(), (steps, at) => {
        const rows = updatesOf(steps);
        if (rows.length === 0) return;
        const missing = rows.toSpliced(at % rows.length, 1);
        const [all, less] = [replayed(rows), replayed(missing)];
        const isSame = Buffer.compare(canonicalState(all), canonicalState(less)) === 0;
        expect(documentDigest(NAME, all) === documentDigest(NAME, less)).toBe(isSame);
        // What an author typed is in no other row, so leaving it out is always seen.
        if (Y.decodeUpdate(rows[at % rows.length]!).structs.length > 0) expect(isSame).toBe(false);
      }),
      { seed: 1, numRuns: 50 },
    );
    const doc = new Y.Doc();
    doc.getText('t').insert(0, 'hello');
    const before = documentDigest(NAME, doc);
    doc.getText('t').delete(0, 1);
    expect(documentDigest(NAME, doc)).not.toBe(before);
  });

  it('R15 leaves out what is pending, structs and deletes, and leaves it where it is', () => {
    const author = new Y.Doc();
    author.clientID = 1;
    author.getText('t').insert(0, 'one');
    const first = Y.encodeStateAsUpdate(author);
    const vector = Y.encodeStateVector(author);
    author.getText('t').insert(3, ' two');
    author.getText('t').delete(0, 1);
    const later = Y.encodeStateAsUpdate(author, vector);
    const doc = replayed([later]);
    expect([doc.store.pendingStructs, doc.store.pendingDs]).not.toContain(null);
    expect(documentDigest(NAME, doc)).toBe(documentDigest(NAME, new Y.Doc()));
    integrate(doc, first, 'peer');
    expect(documentDigest(NAME, doc)).toBe(documentDigest(NAME, author));
  });

  it('R15 is another one under another name, so that two of them do not cancel out in a bucket', () => {
    const doc = replayed(world(1));
    expect(documentDigest('acme/canvas/a', doc)).not.toBe(documentDigest('acme/canvas/b', doc));
  });
});

describe('the digest of a scope', () => {
  const cell = fc.record({ key: fc.string(), v: fc.string(), value: fc.jsonValue() });
  const cells = fc.uniqueArray(cell, { selector: ({ key }) => key, maxLength: 20 });

  it('R1 R15 does not depend on the order of the cells, but on each of them', () => {
    fc.assert(
      fc.property(cells, fc.nat(), (cells, at) => {
        const digest = scopeDigest('acme/member/ada', cells);
        expect(scopeDigest('acme/member/ada', cells.toReversed())).toBe(digest);
        if (cells.length === 0) return;
        const place = at % cells.length;
        const changed = cells.with(place, { ...cells[place]!, v: `${cells[place]!.v}+` });
        for (const other of [cells.toSpliced(place, 1), changed])
          expect(scopeDigest('acme/member/ada', other)).not.toBe(digest);
      }),
      { seed: 1, numRuns: 100 },
    );
  });
});

it('R15 every name has its bucket, the same in every region, and they fill evenly', () => {
  // Two versions side by side must agree, so these never change.
  expect([bucketOf('acme/canvas/plan'), bucketOf('acme/segment/general/1')]).toEqual([614, 114]);
  const counts = new Map<number, number>();
  for (let n = 0; n < 100 * BUCKETS; n++) {
    const bucket = bucketOf(`acme/segment/general/${n}`);
    counts.set(bucket, (counts.get(bucket) ?? 0) + 1);
  }
  expect(counts.size).toBe(BUCKETS);
  expect(Math.max(...counts.values())).toBeLessThan(200);
});
