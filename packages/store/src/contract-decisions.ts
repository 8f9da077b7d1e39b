import type { Decision } from '@causeway/protocol';
import type { Store } from '@causeway/replica';
import { describe, expect, it } from 'vitest';
import { cells } from './contract-rows.ts';

const decision = (keep: string, more: Partial<Decision> = {}): Decision => ({
  document: 'acme/canvas/a',
  generation: 2,
  keep,
  equivocators: [
    { client: 7, clock: 3 },
    { client: 2 ** 53 - 1, clock: 0 },
  ],
  state: Uint8Array.of(0, 1, 254, 255),
  ...more,
});

/** Decisions about documents, and the cells that say what came of them. */
export function decisionContract(fresh: () => Store): void {
  describe('decisions', () => {
    it('R1 the first proposal for a document and generation is kept, whatever comes later', async () => {
      const store = fresh();
      expect(await store.decision('acme/canvas/a', 2)).toBeUndefined();
      const first = decision('1');
      expect(await store.decide(first)).toEqual(first);
      const later = decision('2', { equivocators: [], state: new Uint8Array() });
      expect(await store.decide(later)).toEqual(first);
      expect(await store.decision('acme/canvas/a', 2)).toEqual(first);
      const others = [decision('3', { generation: 3 }), decision('4', { document: 'acme/canvas/b' })];
      for (const other of others) expect(await store.decide(other)).toEqual(other);
      expect(await fresh().decision('acme/canvas/a', 2)).toBeUndefined();
    });

    it('R1 of proposals at once all get the same answer', async () => {
      const store = fresh();
      const proposals = Array.from({ length: 10 }, (_, n) => decision(`${n}`));
      const answers = await Promise.all(proposals.map((proposal) => store.decide(proposal)));
      for (const answer of answers) expect(answer).toEqual(answers[0]);
    });

    it('R15 the cells of generations are found among all others, in order', async () => {
      const store = fresh();
      const value = { generation: 2 };
      await store.append([
        cells('b/workspace/canvases', ['generation|x', '2', value], ['canvas|x', '1', 1]),
        cells('a/workspace/canvases', ['generation|z', '2', value], ['generation|y', '2', value]),
        cells('a/member/ada', ['generation|z', '2', value], ['generations', '2', value]),
      ]);
      expect((await store.generations()).map(({ scope, key }) => `${scope} ${key}`)).toEqual([
        'a/workspace/canvases generation|y',
        'a/workspace/canvases generation|z',
        'b/workspace/canvases generation|x',
      ]);
      expect((await store.generations())[0]).toMatchObject({ v: '2', value });
      expect(await fresh().generations()).toEqual([]);
    });
  });
}
