import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as Y from 'yjs';
import { integrate } from './integrate.ts';
import { indexUpdate } from './segment-index.ts';
import { Segment } from './segment.ts';

const NAME = 'acme/segment/general/1';
const IDS = ['m1', 'm2', 'm3'];

/** One step of one of three processes that hear of each other now and then. */
const step = fc.oneof(
  fc.record({ kind: fc.constant('post' as const), at: fc.nat(2), id: fc.constantFrom(...IDS) }),
  fc.record({
    kind: fc.constant('edit' as const),
    at: fc.nat(2),
    id: fc.constantFrom(...IDS),
    command: fc.constantFrom('c1', 'c2', 'c3'),
  }),
  fc.record({ kind: fc.constant('delete' as const), at: fc.nat(2), id: fc.constantFrom(...IDS) }),
  fc.record({ kind: fc.constant('sweep' as const), at: fc.nat(2), id: fc.constantFrom(...IDS) }),
  fc.record({ kind: fc.constant('hear' as const), at: fc.nat(2), from: fc.nat(2) }),
);
/** Steps of one transaction go together. */
const history = fc.array(fc.array(step, { minLength: 1, maxLength: 4 }), { maxLength: 20 });
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

/** Plays a history as the commands write it, and returns every update that was emitted. */
function play(transactions: readonly (readonly Step[])[]): Uint8Array[] {
  const updates: Uint8Array[] = [];
  let time = 0;
  const processes = [0, 1, 2].map((at) => {
    const doc = new Y.Doc();
    doc.clientID = 2 ** 52 + at;
    doc.on('update', (bytes: Uint8Array, origin: unknown) => {
      if (origin !== 'peer') updates.push(bytes);
    });
    return { doc, segment: new Segment(doc) };
  });
  const perform = (step: Step, at: number): void => {
    const { doc, segment } = processes[at]!;
    if (step.kind === 'hear') {
      const bytes = Y.encodeStateAsUpdate(processes[step.from]!.doc, Y.encodeStateVector(doc));
      return void Y.applyUpdate(doc, bytes, 'peer');
    }
    const { id } = step;
    if (step.kind === 'post' && !segment.isDeleted(id))
      segment.post(id, `t${time++}.${at}`, { a: 'ada', b: `body of ${id}`, o: 'us' });
    // One command is one content, whoever writes it.
    if (step.kind === 'edit' && !segment.isDeleted(id))
      segment.edit(id, step.command, { b: `edited by ${step.command}`, v: 1 });
    if (step.kind === 'delete') segment.delete(id);
    if (step.kind === 'sweep' && segment.isDeleted(id)) segment.sweep(id);
  };
  for (const transaction of transactions) {
    const { at } = transaction[0]!;
    const { doc } = processes[at]!;
    const local = transaction.filter(({ kind }) => kind !== 'hear');
    for (const step of transaction) if (step.kind === 'hear') perform(step, at);
    doc.transact(() => {
      for (const step of local) perform(step, at);
    }, 'local');
  }
  return updates;
}

function replayed(updates: readonly Uint8Array[]): Y.Doc {
  const doc = new Y.Doc();
  for (const bytes of updates) integrate(doc, bytes, 'peer');
  return doc;
}

function reencoded(doc: Y.Doc): string {
  const again = new Y.Doc();
  Y.applyUpdate(again, Y.encodeStateAsUpdate(doc));
  return Buffer.from(Y.encodeStateAsUpdate(again)).toString('base64');
}

const contents = (segment: Segment): unknown => {
  const ids = [...new Set([...segment.ids(), ...segment.deletedIds()])].sort();
  return ids.map((id) => {
    const { posts, edits, deleted } = segment.copy(id);
    return { id, posts, edits: edits.sort((a, b) => (a.command < b.command ? -1 : 1)), deleted };
  });
};

describe('a segment', () => {
  it('R1 the same updates in any order, with repeats, are the same state', () => {
    fc.assert(
      fc.property(history, fc.infiniteStream(fc.nat()), (transactions, random) => {
        const updates = play(transactions);
        const once = replayed(updates);
        const order = [...updates, ...updates.filter((_, at) => at % 3 === 0)];
        for (let at = order.length - 1; at > 0; at--) {
          const other = random.next().value! % (at + 1);
          [order[at], order[other]] = [order[other]!, order[at]!];
        }
        const shuffled = replayed(order);
        expect(shuffled.store.pendingStructs).toBeNull();
        expect(shuffled.store.pendingDs).toBeNull();
        expect(reencoded(shuffled)).toBe(reencoded(once));
        expect(contents(new Segment(shuffled))).toEqual(contents(new Segment(once)));
      }),
      { seed: 1, numRuns: 500 },
    );
  });

  it('R1 what it knows while updates arrive is what a loaded document says', () => {
    fc.assert(
      fc.property(history, (transactions) => {
        const doc = new Y.Doc();
        const following = new Segment(doc);
        for (const bytes of play(transactions)) {
          integrate(doc, bytes, 'peer');
          expect(contents(following)).toEqual(contents(new Segment(doc)));
        }
      }),
      { seed: 2, numRuns: 300 },
    );
  });

  it('R8 keys are written once: nothing is ever overwritten', () => {
    fc.assert(
      fc.property(history, (transactions) => {
        for (const bytes of play(transactions))
          for (const struct of Y.decodeUpdate(bytes).structs)
            if (struct instanceof Y.Item) expect([struct.origin, struct.rightOrigin]).toEqual([null, null]);
      }),
      { seed: 3, numRuns: 300 },
    );
  });

  it('R9 the index of the updates says what the loaded document says', () => {
    fc.assert(
      fc.property(history, (transactions) => {
        const updates = play(transactions);
        const indexes = updates.map((bytes) => indexUpdate(NAME, bytes)!);
        const segment = new Segment(replayed(updates));
        const ids = (pick: (index: (typeof indexes)[number]) => readonly string[]): Set<string> =>
          new Set(indexes.flatMap(pick));
        const [posts, edits, deletes] = [
          ids((index) => index.posts.map(({ id }) => id)),
          ids((index) => index.edits),
          ids((index) => index.deletes),
        ];
        expect(deletes).toEqual(new Set(segment.deletedIds()));
        for (const id of segment.ids()) {
          expect(segment.has(id)).toBe(segment.has(id) && posts.has(id));
          if (segment.copy(id).edits.length > 0) expect(edits).toContain(id);
          for (const { t } of segment.copy(id).posts)
            expect(indexes.flatMap((index) => index.posts)).toContainEqual({ id, t });
        }
        // What was posted is still there, or was deleted.
        for (const id of posts) expect(segment.has(id) || segment.isDeleted(id)).toBe(true);
      }),
      { seed: 4, numRuns: 500 },
    );
  });

  it('R9 R13 an index sees a post that is deleted in the same transaction, and its text is gone', () => {
    const doc = new Y.Doc();
    const segment = new Segment(doc);
    let bytes: Uint8Array = new Uint8Array();
    doc.on('update', (update: Uint8Array) => (bytes = update));
    doc.transact(() => {
      segment.post('m1', 't1', { a: 'ada', b: 'secret', o: 'us' });
      segment.edit('m1', 'c1', { b: 'secret too', v: 1 });
      segment.delete('m1');
    });
    expect(indexUpdate(NAME, bytes)).toEqual({
      channel: 'acme/channel/general',
      segment: 1,
      posts: [{ id: 'm1', t: 't1' }],
      edits: ['m1'],
      deletes: ['m1'],
      operations: 3,
    });
    expect(Buffer.from(bytes).toString('latin1')).not.toContain('secret');
  });

  it('R8 positions are reached by the state vector, with clientIDs of 53 bits', () => {
    const doc = new Y.Doc();
    doc.clientID = Number.MAX_SAFE_INTEGER;
    const segment = new Segment(doc);
    const positions = [
      segment.post('m1', 't1', { a: 'ada', b: 'x', o: 'us' }),
      segment.edit('m1', 'c1', { b: 'y', v: 1 }),
      segment.edit('m1', 'c1', { b: 'y', v: 1 }),
      segment.delete('m1'),
    ];
    expect(positions.map(({ clock }) => clock)).toEqual([1, 2, 2, 3]);
    const copy = replayed([Y.encodeStateAsUpdate(doc)]);
    expect(Y.getState(copy.store, Number.MAX_SAFE_INTEGER)).toBe(3);
  });

  it('a document that is none has no index', () => {
    expect(indexUpdate('acme/canvas/plan', new Uint8Array())).toBeUndefined();
  });
});
