import type { Message } from '@causeway/protocol';
import type { Store } from '@causeway/replica';
import { describe, expect, it } from 'vitest';
import { passed } from './contract-log.ts';
import { CHANNEL, messageRow, update } from './contract-rows.ts';

const message = (id: string, t: string, body = id): Message => messageRow(id, t, { body }).message;
const row = (id: string, t: string, body?: string) => messageRow(id, t, body === undefined ? {} : { body });
const idsOn = async (store: Store, before?: { t: string; id: string }, limit = 10): Promise<string[]> =>
  (await store.viewMessages(CHANNEL, before, limit)).map(({ id }) => id);

/** The view of messages and its position. */
export function viewContract(fresh: () => Store): void {
  describe('the view of messages', () => {
    it('R2 answers pages, newest first, by t and then id, compared by bytes', async () => {
      const store = fresh();
      const { position } = await store.viewState();
      expect(position).toBe(0);
      const rows = [
        row('b', '2'),
        row('a', '2'),
        row('c', '1'),
        row('d', '10'),
        row('\u{1F600}', '3'),
        row('\uFF5E', '3'),
      ];
      const elsewhere = { ...row('z', '9'), channel: 'acme/channel/other' };
      expect(
        await store.project({ from: 0, to: 5, messages: [...rows, elsewhere], gone: [], awaiting: [] }),
      ).toBe(true);
      expect(await idsOn(store)).toEqual(['\u{1F600}', '\uFF5E', 'b', 'a', 'd', 'c']);
      expect(await idsOn(store, undefined, 3)).toEqual(['\u{1F600}', '\uFF5E', 'b']);
      expect(await idsOn(store, { t: '2', id: 'b' }, 2)).toEqual(['a', 'd']);
      expect(await idsOn(store, { t: '1', id: 'c' })).toEqual([]);
      expect((await store.viewState()).position).toBe(5);
    });

    it('keeps a message whole but for its reactions, and takes its place again when it changes', async () => {
      const store = fresh();
      await store.viewState();
      const whole = {
        ...message('a', '1', 'NUL \0 "\\'),
        thread: 'b',
        editedAt: 2,
        history: [{ body: 'x', v: 1 }],
      };
      const reactions = { '+1': ['ada'] };
      await store.project({
        from: 0,
        to: 1,
        messages: [{ ...row('a', '1'), message: { ...whole, reactions } }],
        gone: [],
        awaiting: [],
      });
      expect(await store.viewMessages(CHANNEL, undefined, 10)).toEqual([whole]);
      await store.project({
        from: 1,
        to: 2,
        messages: [row('a', '3', 'first'), row('a', '2', 'last')],
        gone: [],
        awaiting: [],
      });
      expect(await store.viewMessages(CHANNEL, undefined, 10)).toEqual([message('a', '2', 'last')]);
    });

    it('R13 a deleted message is gone, whatever else the projection says of it', async () => {
      const store = fresh();
      await store.viewState();
      await store.project({
        from: 0,
        to: 1,
        messages: [row('a', '1'), row('b', '2')],
        gone: [],
        awaiting: [],
      });
      const gone = ['a', 'c', 'none'].map((id) => ({ channel: CHANNEL, id }));
      await store.project({ from: 1, to: 2, messages: [row('c', '3')], gone, awaiting: [] });
      expect(await idsOn(store)).toEqual(['b']);
    });

    it('R4 of two projectors at one position the second writes nothing', async () => {
      const store = fresh();
      expect(await store.project({ from: 0, to: 1, messages: [row('a', '1')], gone: [], awaiting: [] })).toBe(
        false,
      );
      await store.viewState();
      const outcomes = await Promise.all(
        ['a', 'b', 'c'].map((id) =>
          store.project({ from: 0, to: 1, messages: [row(id, '1')], gone: [], awaiting: [] }),
        ),
      );
      expect(outcomes.filter((won) => won)).toHaveLength(1);
      expect(await idsOn(store)).toEqual([['a', 'b', 'c'][outcomes.indexOf(true)]]);
      expect((await store.viewState()).position).toBe(1);
    });

    it('a rebuild begins at 0 and ends above all that is there; what it does not meet vanishes then', async () => {
      const store = fresh();
      await store.viewState();
      await store.project({
        from: 0,
        to: 1,
        messages: [row('a', '1'), row('b', '2'), row('c', '3')],
        gone: [],
        awaiting: [],
      });
      const { commit } = await store.append([update('acme/canvas/a', '1')]);
      await store.rebuildViews();
      const { position, rebuildTo } = await store.viewState();
      expect(position).toBe(0);
      expect(rebuildTo).toBeGreaterThanOrEqual(commit);
      expect(await store.project({ from: 1, to: 2, messages: [], gone: [], awaiting: [] })).toBe(false);
      const again = [row('a', '1'), row('b', '2', 'corrected')];
      expect(
        await store.project({ from: 0, to: rebuildTo - 1, messages: again, gone: [], awaiting: [] }),
      ).toBe(true);
      expect(await idsOn(store)).toEqual(['c', 'b', 'a']);
      expect((await store.viewMessages(CHANNEL, undefined, 10))[1]!.body).toBe('corrected');
      expect(
        await store.project({
          from: rebuildTo - 1,
          to: rebuildTo,
          messages: [row('d', '4')],
          gone: [],
          awaiting: [],
        }),
      ).toBe(true);
      expect(await idsOn(store)).toEqual(['d', 'b', 'a']);
      expect(await store.viewState()).toEqual({ position: rebuildTo, rebuildTo });
      await store.project({
        from: rebuildTo,
        to: rebuildTo + 1,
        messages: [row('e', '5')],
        gone: [],
        awaiting: [],
      });
      expect(await idsOn(store)).toEqual(['e', 'd', 'b', 'a']);
    });

    it('R2 a rebuild reads the snapshot of what was compacted before it', async () => {
      const store = fresh();
      await store.viewState();
      const { commit } = await store.apply({
        peer: 'eu-west',
        rows: [update('acme/canvas/a', '1')],
        own: [],
        parked: [],
      });
      await passed(store, commit);
      await store.project({ from: 0, to: commit, messages: [], gone: [], awaiting: [] });
      const { changes, rows } = (await store.loadState('acme/canvas/a'))!;
      const compaction = {
        name: 'acme/canvas/a',
        changes,
        rows: rows.map(({ id }) => id),
        snapshot: Uint8Array.of(1),
        digest: 1n,
      };
      expect(await store.compact(compaction)).toBe(true);
      await store.rebuildViews();
      const { rebuildTo } = await store.viewState();
      await passed(store, rebuildTo);
      expect((await store.tail(0, 100)).rows).toMatchObject([{ snapshot: true }]);
      expect((await store.tail(rebuildTo, 100)).rows).toEqual([]);
    });
  });
}
