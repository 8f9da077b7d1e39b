import type { Store } from '@causeway/replica';
import { describe, expect, it } from 'vitest';
import { CHANNEL, cells, messageRow, update } from './contract-rows.ts';

const OTHER = 'acme/channel/other';

async function withRows(store: Store, rows: ReturnType<typeof messageRow>[]): Promise<Store> {
  await store.viewState();
  expect(await store.project({ from: 0, to: 1, messages: rows, gone: [], awaiting: [] })).toBe(true);
  return store;
}

const countable = async (store: Store, from: number, limit = 10): Promise<string[]> =>
  (await store.countables([{ channel: CHANNEL, from }], limit)).map(({ id }) => id);

/** What the view of messages answers beside pages: threads, mentions, what may be unread. */
export function countsContract(fresh: () => Store): void {
  describe('what may be unread', () => {
    it('are messages all of whose copies are in these segments, the highest first, and no mere replies', async () => {
      const store = await withRows(fresh(), [
        messageRow('low', '9'),
        messageRow('both', '8', { in: [1, 3] }),
        messageRow('late', '1', { in: [3] }),
        messageRow('new', '7', { in: [2] }),
        messageRow('newer', '70', { in: [2] }),
        messageRow('reply', '6', { in: [2], thread: 'low' }),
        messageRow('also', '5', { in: [2], thread: 'low', also: true }),
        messageRow('elsewhere', '5', { in: [2], channel: OTHER }),
      ]);
      expect(await countable(store, 2)).toEqual(['late', 'newer', 'new', 'also']);
      expect(await countable(store, 2, 2)).toEqual(['late', 'newer']);
      expect(await countable(store, 0)).toEqual(['late', 'newer', 'new', 'also', 'low', 'both']);
      expect(await countable(store, 4)).toEqual([]);
      const both = [OTHER, CHANNEL].map((channel) => ({ channel, from: 2 }));
      expect((await store.countables(both, 2)).map(({ channel, id }) => [channel, id])).toEqual([
        [CHANNEL, 'late'],
        [CHANNEL, 'newer'],
        [OTHER, 'elsewhere'],
      ]);
      expect(await store.countables([], 10)).toEqual([]);
    });

    it('come with their author, mentions and copies, as last written', async () => {
      const row = messageRow('a', '1', { body: 'hi @ben @here', in: [2, 3] });
      const store = await withRows(fresh(), [row]);
      const [found] = await store.countables([{ channel: CHANNEL, from: 1 }], 10);
      const { mentions, copies } = row;
      expect(found).toEqual({ channel: CHANNEL, id: 'a', t: '1', author: 'ada', mentions, copies });
      await store.project({
        from: 1,
        to: 2,
        messages: [messageRow('a', '2', { in: [3] })],
        gone: [],
        awaiting: [],
      });
      expect(await store.countables([{ channel: CHANNEL, from: 1 }], 10)).toEqual([
        {
          channel: CHANNEL,
          id: 'a',
          t: '2',
          author: 'ada',
          mentions: { members: [], channel: false, here: false },
          copies: [{ segment: 3, client: 2 ** 53 - 1, clock: 7 }],
        },
      ]);
      await store.project({
        from: 2,
        to: 3,
        messages: [],
        gone: [{ channel: CHANNEL, id: 'a' }],
        awaiting: [],
      });
      expect(await store.countables([{ channel: CHANNEL, from: 1 }], 10)).toEqual([]);
    });
  });

  describe('threads', () => {
    it('are counted for a page of roots at once', async () => {
      const store = await withRows(fresh(), [
        messageRow('root', '1'),
        messageRow('r1', '2', { thread: 'root', author: 'ben' }),
        messageRow('r2', '3', { thread: 'root', author: 'cleo', also: true }),
        messageRow('r3', '4', { thread: 'root', author: 'ben' }),
        messageRow('r4', '5', { thread: 'elsewhere', author: 'ben', channel: OTHER }),
        messageRow('r5', '6', { thread: 'gone', author: 'dan' }),
      ]);
      const threads = async (most: number) =>
        (await store.viewThreads(CHANNEL, ['root', 'r1', 'gone', 'root'], most)).toSorted((a, b) =>
          a.root < b.root ? -1 : 1,
        );
      const gone = { root: 'gone', replies: 1, last: '6', participants: ['dan'] };
      expect(await threads(10)).toEqual([
        gone,
        { root: 'root', replies: 3, last: '4', participants: ['ben', 'cleo'] },
      ]);
      expect((await threads(1))[1]!.participants).toEqual(['ben']);
      expect(await store.viewThreads(CHANNEL, [], 10)).toEqual([]);
      await store.project({
        from: 1,
        to: 2,
        messages: [],
        gone: [{ channel: CHANNEL, id: 'r5' }],
        awaiting: [],
      });
      expect(await threads(10)).toHaveLength(1);
    });

    it('are read in pages, newest first', async () => {
      const rows = ['1', '2', '3'].map((t) => messageRow(`r${t}`, t, { thread: 'root' }));
      const store = await withRows(fresh(), [...rows, messageRow('root', '0'), messageRow('x', '9')]);
      const ids = async (before?: { t: string; id: string }): Promise<string[]> =>
        (await store.viewMessages(CHANNEL, before, 2, 'root')).map(({ id }) => id);
      expect(await ids()).toEqual(['r3', 'r2']);
      expect(await ids({ t: '2', id: 'r2' })).toEqual(['r1']);
      expect((await store.viewMessage({ channel: CHANNEL, id: 'root' }))?.t).toBe('0');
      expect(await store.viewMessage({ channel: OTHER, id: 'root' })).toBeUndefined();
    });

    it('R12 know who follows them, in one workspace', async () => {
      const store = fresh();
      const key = 'follow|general|root';
      const set = (scope: string, value: boolean, name = key) => cells(scope, [name, '1', value]);
      await store.append([
        set('acme/member/cleo', true),
        set('acme/member/ben', false),
        set('acme/member/dan', true, 'follow|general|other'),
        set('acme/channel/ada', true),
        set('acme_/member/ada', true),
        set('acmex/member/ada', true),
      ]);
      expect(await store.followCells('acme', key)).toEqual([
        { scope: 'acme/member/ben', key, v: '1', value: false },
        { scope: 'acme/member/cleo', key, v: '1', value: true },
      ]);
      expect(await store.followCells('acme_', key)).toHaveLength(1);
    });
  });

  describe('mentions', () => {
    const rows = [
      messageRow('a', '1', { body: '@ben' }),
      messageRow('b', '2', { body: '@channel' }),
      messageRow('c', '3', { body: '@ben @here', channel: OTHER }),
      messageRow('d', '4', { body: '@ben', author: 'ben' }),
      messageRow('e', '5', { body: '@ada' }),
      messageRow('f', '6', { body: '@ben', thread: 'a' }),
    ];
    const all = [CHANNEL, OTHER];
    const found = async (
      store: Store,
      named = all,
      joined = all,
      before?: { t: string; id: string },
      limit = 10,
    ): Promise<string[]> =>
      (await store.viewMentions('acme', 'ben', { named, joined }, before, limit)).map(({ id }) => id);

    it('R12 are listed newest first, once, where the asker may see them, and none of oneself', async () => {
      const store = await withRows(fresh(), rows);
      expect(await found(store)).toEqual(['f', 'c', 'b', 'a']);
      expect(await found(store, all, [])).toEqual(['f', 'c', 'a']);
      expect(await found(store, [CHANNEL], [OTHER])).toEqual(['f', 'c', 'a']);
      expect(await found(store, [], [])).toEqual([]);
      expect(await found(store, all, all, { t: '3', id: 'c' }, 1)).toEqual(['b']);
      expect(await store.viewMentions('acm', 'ben', { named: all, joined: all }, undefined, 10)).toEqual([]);
    });

    it('come and go with edits, deletes and a rebuild', async () => {
      const store = await withRows(fresh(), rows);
      const edited = [messageRow('a', '1', { body: 'nobody' }), messageRow('e', '5', { body: '@ben' })];
      await store.project({
        from: 1,
        to: 2,
        messages: edited,
        gone: [{ channel: CHANNEL, id: 'f' }],
        awaiting: [],
      });
      expect(await found(store)).toEqual(['e', 'c', 'b']);
      await store.append([update('acme/canvas/a', '1')]);
      await store.rebuildViews();
      const { rebuildTo } = await store.viewState();
      const again = [messageRow('b', '2', { body: '@channel' }), edited[1]!];
      await store.project({ from: 0, to: rebuildTo, messages: again, gone: [], awaiting: [] });
      expect(await found(store)).toEqual(['e', 'b']);
      await store.mendViews();
      expect((await store.viewState()).position).toBeGreaterThan(0);
    });
  });
}
