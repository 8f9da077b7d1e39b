import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as Y from 'yjs';
import type { AppendQueue, Job } from './append-queue.ts';
import type { Documents } from './documents.ts';
import { hybridOf, hybridText } from './hybrid-time.ts';
import { LiveDocument } from './live-document.ts';
import { prunableAt, prune } from './prune.ts';
import { unionOf } from './union.ts';

const NAME = 'acme/segment/general/1';
const HOUR = 3_600_000;
const NOW = 1_700_000_000_000;

type Story = { edits: number[]; copies: number[] };
/** Ages in minutes; a few lie in the future. */
const age = fc.integer({ min: -30, max: 180 });
const story: fc.Arbitrary<Story> = fc.record({
  edits: fc.array(age, { maxLength: 80 }),
  copies: fc.uniqueArray(age, { minLength: 1, maxLength: 4 }),
});

const at = (minutes: number): number => hybridOf(NOW - minutes * 60_000);

/** A segment with one message per story: copies of it and edits, each so many minutes old. */
function segmentOf(stories: readonly Story[]): LiveDocument {
  const live = new LiveDocument(NAME, []);
  live.author(1, () => {
    for (const [n, { edits, copies }] of stories.entries()) {
      for (const minutes of copies)
        live.segment!.post(`m${n}`, `${hybridText(at(minutes))}.1`, { a: 'ada', b: `${minutes}`, o: 'us' });
      for (const [e, minutes] of edits.entries())
        live.segment!.edit(`m${n}`, `c${e}`, { b: `edit ${e}`, v: at(minutes) });
    }
  });
  return live;
}

/** Prunes at once, as a queue would whose turn has come; the emitted update, if there was one. */
async function pruned(live: LiveDocument, now = NOW): Promise<Uint8Array | undefined> {
  let emitted: Uint8Array | undefined;
  const documents = { open: () => Promise.resolve(live) } as unknown as Documents;
  const queue = {
    run: <T>(job: Job<T>) => {
      let answer: T | undefined;
      emitted = live.author(2, () => (answer = job.author(live).answer));
      return Promise.resolve(answer);
    },
  } as unknown as AppendQueue;
  const did = await prune({ documents, queue, now: () => now }, NAME);
  expect(did).toBe(emitted !== undefined);
  return emitted;
}

const shown = ({ segment }: LiveDocument) =>
  [...segment!.ids()].sort().map((id) => {
    const { history: _, ...message } = unionOf([segment!.copy(id)], Number.MAX_SAFE_INTEGER)!;
    return message;
  });

describe('pruning', () => {
  it('R1 R4 changes nothing that is shown but old history, keeps 50 edits and one copy, and is done at once', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(story, { maxLength: 4 }), async (stories) => {
        const live = segmentOf(stories);
        const before = shown(live);
        await pruned(live);
        expect(shown(live)).toEqual(before);
        for (const [n, { edits, copies }] of stories.entries()) {
          const copy = live.segment!.copy(`m${n}`);
          const isOld = edits.length > 0 && Math.min(...edits) >= 60;
          expect(copy.edits).toHaveLength(isOld ? Math.min(edits.length, 50) : edits.length);
          expect(copy.posts).toHaveLength(Math.max(...copies) >= 60 ? 1 : copies.length);
        }
        expect(await pruned(live)).toBeUndefined();
      }),
      { seed: 1, numRuns: 200 },
    );
  });

  it('R1 says when it will have something to do, and has it then', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(story, { maxLength: 4 }), async (stories) => {
        const live = segmentOf(stories);
        const at = prunableAt(live.segment!);
        if (at === undefined) {
          expect(await pruned(live, NOW + 100 * HOUR)).toBeUndefined();
          return;
        }
        expect(await pruned(live, at - 1)).toBeUndefined();
        expect(await pruned(live, at)).toBeDefined();
      }),
      { seed: 2, numRuns: 100 },
    );
  });

  it('R10 not in a document that is larger than a row', async () => {
    const live = segmentOf([{ edits: Array.from({ length: 60 }, () => 100), copies: [100] }]);
    live.author(1, () =>
      live.segment!.post('big', `${hybridText(hybridOf(NOW))}.1`, post('x'.repeat(600_000))),
    );
    expect(await pruned(live)).toBeUndefined();
    expect(live.segment!.copy('m0').edits).toHaveLength(60);
  });

  it("R1 a peer's nonsense dominates nothing and is left alone", async () => {
    const live = segmentOf([{ edits: Array.from({ length: 50 }, () => 100), copies: [100] }]);
    const other = new Y.Doc();
    other.getMap('e').set('m0|bad', { b: 'no v' });
    other.getMap('e').set('m0|null', null);
    other.getMap('m').set('m1|!', post('no time'));
    other.getMap('m').set('m1|0', post('nor here'));
    live.committedElsewhere([Y.encodeStateAsUpdate(other)]);
    expect(await pruned(live)).toBeUndefined();
  });
});

const post = (b: string) => ({ a: 'ada', b, o: 'us' });
