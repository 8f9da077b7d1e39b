import { memberScope, messageScope } from '@causeway/protocol';
import type { Change, MessageRow, Store } from '@causeway/replica';
import { describe, expect, it } from 'vitest';
import { passed } from './contract-log.ts';
import { batch, cells, CHANNEL, messageRow } from './contract-rows.ts';

const OTHER = 'other/channel/general';
const message = (id: string, body = id, channel = CHANNEL): MessageRow =>
  messageRow(id, '1', { body, channel });
const REACTIONS = messageScope('acme', 'general', 'a');

/** What changed, in a few letters: `+a` a message with its text, `-a` a deleted one, `key=value` a cell. */
const told = (change: Change): string => {
  if (change.kind === 'message') return `+${change.row.message.id} ${change.row.message.body}`;
  return change.kind === 'gone' ? `-${change.place.id}` : `${change.cell.key}=${String(change.cell.value)}`;
};

/** Projects from wherever the view is. */
async function project(
  store: Store,
  messages: MessageRow[],
  gone: { channel: string; id: string; notYet?: true }[] = [],
): Promise<void> {
  const { position } = await store.viewState();
  expect(await store.project({ from: position, to: position + 1, messages, gone, awaiting: [] })).toBe(true);
}

/** What changed after a commit, once the horizon has come to the newest. */
async function after(store: Store, commit: number, workspace = 'acme'): Promise<string[]> {
  await settled(store);
  return (await store.changes([workspace], commit, 1_000)).changes.map(told);
}

/** Something else in the database may hold the horizon back for a moment. */
const settled = async (store: Store): Promise<void> => passed(store, (await store.marking()).high);

/** What events are read from. */
export function changesContract(fresh: () => Store): void {
  describe('what changed', () => {
    it('R15 lists messages, deletions and cells in the order of commits, each where it last changed', async () => {
      const store = fresh();
      await project(store, [message('a'), message('b')]);
      await store.append([cells(REACTIONS, ['x|ada', '1', true]), cells(CHANNEL, ['topic', '1', 'old'])]);
      await project(store, [message('a', 'edited')]);
      await store.apply(batch({ rows: [cells(CHANNEL, ['topic', '2', 'new'])] }));
      await project(store, [], [{ channel: CHANNEL, id: 'b' }]);
      expect(await after(store, 0)).toEqual(['x|ada=true', '+a edited', 'topic=new', '-b']);
    });

    it('R4 what changes nothing is listed nowhere: the same text again, a smaller v, a repeated deletion', async () => {
      const store = fresh();
      await project(store, [message('a'), message('b')]);
      await store.append([cells(CHANNEL, ['topic', '2', 'new'])]);
      await project(store, [], [{ channel: CHANNEL, id: 'b' }]);
      await settled(store);
      const { to } = await store.changes(['acme'], 0, 1_000);
      await project(store, [message('a')], [{ channel: CHANNEL, id: 'b' }]);
      await store.append([cells(CHANNEL, ['topic', '1', 'older'])]);
      expect(await after(store, to)).toEqual([]);
    });

    it('R9 a rebuild changes nothing but what it corrects and what it does not meet', async () => {
      const store = fresh();
      await project(store, [message('a'), message('b'), message('c')]);
      await settled(store);
      const { to } = await store.changes(['acme'], 0, 1_000);
      await store.rebuildViews();
      const { rebuildTo } = await store.viewState();
      const messages = [message('a'), message('b', 'corrected')];
      expect(await store.project({ from: 0, to: rebuildTo, messages, gone: [], awaiting: [] })).toBe(true);
      expect((await after(store, to)).toSorted()).toEqual(['+b corrected', '-c']);
    });

    it('R3 a message that was deleted before it was ever shown is told of; one that is not here yet is not', async () => {
      const store = fresh();
      await project(
        store,
        [],
        [
          { channel: CHANNEL, id: 'a' },
          { channel: CHANNEL, id: 'b', notYet: true },
        ],
      );
      expect(await after(store, 0)).toEqual(['-a']);
    });

    it('R12 lists the workspaces that were asked for, and of private cells only those that others may see', async () => {
      const store = fresh();
      await project(store, [message('a'), message('z', 'z', OTHER)]);
      await store.append([
        cells(memberScope('acme', 'ada'), ['draft|general', '1', 'secret'], ['joined|general', '1', true]),
        cells(memberScope('acme', 'ada'), ['direct|x', '1', 1], ['read|general|1|2', '1', 1]),
        cells(OTHER, ['topic', '1', 'theirs']),
        // A channel may be called as a kind is.
        cells(messageScope('acme', 'member', 'm'), ['x|ada', '1', 'on']),
      ]);
      expect(await after(store, 0)).toEqual(['+a a', 'direct|x=1', 'joined|general=true', 'x|ada=on']);
      expect(await after(store, 0, 'other')).toEqual(['+z z', 'topic=theirs']);
      expect((await store.changes(['acme', 'other'], 0, 1_000)).changes).toHaveLength(6);
      expect((await store.changes([], 0, 1_000)).changes).toEqual([]);
      expect(await after(fresh(), 0)).toEqual([]);
    });

    it('R10 comes in portions of whole commits, and says where the next begins', async () => {
      const store = fresh();
      await project(store, [message('a'), message('b'), message('c')]);
      await project(store, [message('d'), message('e')]);
      await store.append([cells(CHANNEL, ['topic', '1', 1], ['purpose', '1', 1])]);
      await settled(store);
      const pages: string[][] = [];
      for (let at = 0; pages.length < 4;) {
        const { changes, to } = await store.changes(['acme'], at, 2);
        pages.push(changes.map(told));
        expect(to).toBeGreaterThanOrEqual(at);
        at = to;
      }
      expect(pages).toEqual([['+a a', '+b b', '+c c'], ['+d d', '+e e'], ['purpose=1', 'topic=1'], []]);
      const far = (await store.marking()).high + 1_000_000_000;
      expect((await store.changes(['acme'], far, 10)).to).toBe(far);
    });

    it('R10 the oldest deletions are forgotten beyond a bound, and it is said up to where', async () => {
      const store = fresh();
      const names = ['a', 'b', 'c', 'd', 'e'];
      await project(
        store,
        names.map((id) => message(id)),
      );
      for (const id of names) await project(store, [], [{ channel: CHANNEL, id }]);
      await settled(store);
      expect((await store.changes(['acme'], 0, 100)).forgotten).toBe(0);
      const { changes } = await store.changes(['acme'], 0, 100);
      expect(await store.forgetGone(5)).toBe(0);
      expect(await store.forgetGone(3)).toBe(2);
      const left = await store.changes(['acme'], 0, 100);
      expect(left.changes.map(told)).toEqual(['-c', '-d', '-e']);
      expect(left.forgotten).toBe(changes[1]!.commit);
      expect(await store.forgetGone(0)).toBe(3);
      expect((await store.changes(['acme'], 0, 100)).forgotten).toBe(changes[4]!.commit);
    });
  });

  describe('marks', () => {
    it('R15 tie times to commits: what is above one, and what was whole at or below one', async () => {
      const store = fresh();
      await store.viewState();
      expect([await store.wholeAt(10 ** 9), await store.lowAt(10 ** 15)]).toEqual([0, undefined]);
      const marked: { low: number; high: number }[] = [];
      for (const at of [1_000, 2_000, 3_000]) {
        await store.append([cells(CHANNEL, ['topic', String(at), at])]);
        await settled(store);
        const { low } = await store.marking();
        await store.mark({ at, low, whole: at - 500 }, 0);
        marked.push({ low, high: (await store.marking()).high });
      }
      expect(await store.wholeAt(marked[2]!.high)).toBe(2_500);
      expect(await store.wholeAt(marked[1]!.high)).toBe(1_500);
      expect(await store.wholeAt(0)).toBe(0);
      expect([await store.lowAt(999), await store.lowAt(1_000)]).toEqual([undefined, marked[0]!.low]);
      expect([await store.lowAt(2_999), await store.lowAt(9_000)]).toEqual([marked[1]!.low, marked[2]!.low]);
      await store.mark({ at: 4_000, low: 0, whole: 3_500 }, 2_500);
      expect(await store.lowAt(2_999)).toBeUndefined();
      expect(await store.lowAt(3_500)).toBe(marked[2]!.low);
    });

    it('R15 what is heard of a peer stands with the commit up to which it is applied', async () => {
      const store = fresh();
      await store.noteHeard('eu-west', 1);
      expect((await store.marking()).heard).toEqual([]);
      const { commit } = await store.apply(batch({ rows: [cells(CHANNEL, ['topic', '1', 1])] }));
      await store.noteHeard('eu-west', 5_000);
      const { heard, high } = await store.marking();
      expect(heard).toMatchObject([{ peer: 'eu-west', sentAt: 5_000 }]);
      expect(heard[0]!.commit).toBeGreaterThanOrEqual(commit);
      expect(high).toBeGreaterThanOrEqual(heard[0]!.commit);
      await store.apply(batch({ peer: 'ap-south', rows: [] }));
      await store.noteHeard('ap-south', 4_000);
      await store.noteHeard('eu-west', 6_000);
      expect((await store.marking()).heard.map(({ peer, sentAt }) => [peer, sentAt])).toEqual([
        ['ap-south', 4_000],
        ['eu-west', 6_000],
      ]);
    });
  });
}
