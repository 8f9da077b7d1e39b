import { base64url, channelScope, segmentName } from '@causeway/protocol';
import { Doubtful, Segment, indexUpdate, timeOfPost, type Row } from '@causeway/replica';
import { afterEach, describe, expect, it } from 'vitest';
import * as Y from 'yjs';
import { CHANNEL, WORKSPACE, World, idOf, outcomeOf } from './world.ts';

/** What random worlds found (docs/simulation.md), told as short as it can be. */
let world: World;
const open = (regions: readonly string[] = ['us', 'eu']): World => (world = new World({ regions }));
afterEach(() => world.close());

/** Nobody hears answers to questions: no repair, no `holds`. */
const refuseAnswers = (count: number): void => {
  for (const { name } of world.regions) world.network.broker(name).answersToLose = count;
};

/** Rows of one segment as a peer's processes write them, for arrivals in any order. */
class Author {
  readonly #doc = new Y.Doc();
  readonly #segment = new Segment(this.#doc);
  readonly #name: string;

  constructor(number: number) {
    this.#name = segmentName(WORKSPACE, CHANNEL, number);
  }

  row(client: number, write: (segment: Segment) => void): Row {
    const emitted: Uint8Array[] = [];
    this.#doc.clientID = client;
    this.#doc.once('update', (update: Uint8Array) => emitted.push(update));
    this.#doc.transact(() => write(this.#segment));
    const [bytes] = emitted;
    return {
      entry: { kind: 'update', name: this.#name, bytes: bytes! },
      index: indexUpdate(this.#name, bytes!)!,
    };
  }

  post(client: number, id: string, body: string): Row {
    return this.row(client, (segment) => {
      segment.post(id, timeOfPost(world.time.now() * 1024, client), { a: 'ada', b: body, o: 'eu' });
    });
  }
}

const messageId = (n: number): string => base64url(new Uint8Array(16).fill(n));
const arrive = (...rows: Row[]): Promise<unknown> =>
  world.region('us').store.apply({ peer: 'eu', rows, own: [], parked: [] });

/** The bodies that the view of us shows, once it has passed all that is committed. */
async function shown(): Promise<string[]> {
  const { store } = world.region('us');
  const horizon = await store.horizon();
  await world.until(async () => {
    world
      .at('us')
      .messages(WORKSPACE, CHANNEL, undefined, 1)
      .catch(() => undefined);
    return (await store.viewState()).position >= horizon;
  }, 'the view has passed');
  const messages = await store.viewMessages(channelScope(WORKSPACE, CHANNEL), undefined, 100);
  return messages.map(({ body }) => body).sort();
}

describe('found by random worlds', () => {
  it.each(['the same process', 'another process'])(
    'R9 a message that waited for a missing row is shown when that has come, by %s (seeds 2963, 4815, 9167 of 2026-11-26)',
    async (who) => {
      open();
      const author = new Author(1);
      const [first, second] = [author.post(7, messageId(1), 'first'), author.post(7, messageId(2), 'second')];
      const edit = author.row(8, (segment) => {
        segment.edit(messageId(2), messageId(3), { b: 'second, edited', v: 1 });
      });
      await arrive(second, edit);
      expect(await shown()).toEqual([]);
      expect(await world.region('us').store.awaiting()).toHaveLength(1);
      if (who === 'another process') {
        world.region('us').processes[0]!.crash();
        world.start('us');
      }
      await arrive(first);
      await world.until(async () => (await shown()).length === 2, 'both are shown', 5_000);
      expect(await shown()).toEqual(['first', 'second, edited']);
      expect(await world.region('us').store.awaiting()).toEqual([]);
    },
  );

  it('R3 a delete whose mark waits for a missing row takes nothing away before, and then everything (seed 3614 of 2026-11-26)', async () => {
    open();
    const author = new Author(1);
    const id = messageId(1);
    await arrive(
      author.post(7, id, 'first text'),
      author.row(8, (segment) => {
        segment.edit(id, messageId(2), { b: 'edited', v: 1 });
      }),
    );
    const missing = author.post(9, messageId(3), 'missing');
    await arrive(author.row(9, (segment) => segment.delete(id)));
    const name = segmentName(WORKSPACE, CHANNEL, 1);
    const texts = async (): Promise<string[]> => {
      const { segment } = await world.at('us').documents.open(name);
      return [...segment!.ids()].map((each) => segment!.copy(each).edits.at(-1)?.value.b ?? 'no edit');
    };
    expect(await texts()).toEqual(['edited']);
    expect(await shown()).toEqual(['edited']);
    await arrive(missing);
    await world.until(async () => (await shown())[0] === 'missing', 'the other one', 5_000);
    expect(await texts()).toEqual(['no edit']);
    expect(await shown()).toEqual(['missing']);
  });

  it('R3 a delete that waits for a missing row reaches the other copies of its message at once', async () => {
    open();
    const id = messageId(1);
    const [one, two] = [new Author(1), new Author(2)];
    await arrive(one.post(7, id, 'twice'), two.post(8, id, 'twice'));
    one.post(9, messageId(3), 'missing');
    await arrive(one.row(9, (segment) => segment.delete(id)));
    const { segment } = await world.at('us').documents.open(segmentName(WORKSPACE, CHANNEL, 2));
    await world.until(() => segment!.isDeleted(id), 'deleted in the other segment', 60_000);
  });

  it('R3 level zone is not given for what a peer stored behind a gap and cannot read', async () => {
    open();
    await world.at('us').execute(world.post('before'));
    await world.until(async () => (await world.bodies('eu')).length === 1, 'in eu');
    // One post expires before it is read, and the next one depends on it.
    world.cut('us', 'eu');
    await world.at('us').execute(world.post('expired'));
    await world.time.sleep(500);
    world.network.purge('us', world.network.broker('us').stream.lastSequence + 1);
    const behind = world.post('behind it');
    await world.at('us').execute(behind);
    refuseAnswers(1_000);
    world.heal();
    await world.time.sleep(2_000);
    expect(await world.bodies('eu')).toEqual(['before']);
    expect(await outcomeOf(world.at('us').execute(behind, { level: 'zone' }))).toBe('not-replicated');
    expect(await outcomeOf(world.at('us').execute(world.post('new'), { level: 'zone' }))).toBe(
      'not-replicated',
    );
    refuseAnswers(0);
    await world.until(async () => (await world.bodies('eu')).length === 4, 'repaired');
    expect(await world.at('us').execute(behind, { level: 'zone' })).toMatchObject({ level: 'zone' });
  });

  it('R3 level zone is not given by a process that receives again what another one received behind a gap (seed 2453 of 2026-11-26)', async () => {
    world = new World({ regions: ['us', 'eu'] });
    const [first] = world.region('eu').processes;
    await world.at('us').execute(world.post('before'));
    await world.until(async () => (await world.bodies('eu')).length === 1, 'in eu');
    // From here on everything of us was compared, and the first process of eu says so.
    expect(await world.at('us').execute(world.post('whole'), { level: 'zone' })).toMatchObject({
      level: 'zone',
    });
    const reads = (process = first!): boolean => process.replica.peers().some(({ connected }) => connected);
    expect(reads()).toBe(true);
    // Another one takes over while the first one stands by.
    const second = world.start('eu');
    await world.until(
      () => {
        if (reads()) world.region('eu').store.loseLeads();
        return reads(second);
      },
      'the second one receives',
      600_000,
    );
    expect(reads()).toBe(false);
    world.cut('us', 'eu');
    await world.at('us').execute(world.post('expired'));
    await world.time.sleep(500);
    world.network.purge('us', world.network.broker('us').stream.lastSequence + 1);
    await world.at('us').execute(world.post('behind it'));
    refuseAnswers(1_000);
    world.heal();
    await world.until(() => second.notices.some(({ what }) => what === 'gap'), 'it reads across the gap');
    await world.time.sleep(1_000);
    second.crash();
    await world.until(() => reads(), 'the first one receives again');
    const next = world.post('next');
    expect(await outcomeOf(world.at('us').execute(next, { level: 'zone' }))).toBe('not-replicated');
    refuseAnswers(0);
    await world.until(async () => (await world.bodies('eu')).length === 5, 'repaired');
    expect(await world.at('us').execute(next, { level: 'zone' })).toMatchObject({ level: 'zone' });
  });

  it('R15 a stream that was lost with its machine is noticed though nobody answers hello at first', async () => {
    open();
    for (let n = 0; n < 50; n++) await world.at('us').execute(world.post(`${n}`));
    await world.until(async () => (await world.bodies('eu')).length === 50, 'in eu');
    refuseAnswers(1_000);
    world.region('us').processes[0]!.crash();
    world.network.recreate('us');
    await world.time.sleep(5_000);
    world.start('us');
    await world.at('us').execute(world.post('new'));
    // The new stream ends far before the cursor of the old one.
    await world.until(async () => (await world.bodies('eu')).includes('new'), 'in eu', 10_000);
    expect(world.network.broker('us').stream.lastSequence).toBeLessThan(40);
  });
});

it('R3 an edit that goes because of a deletion takes the deletion along, which nobody else may have yet (seed 771625)', async () => {
  open();
  const post = world.post('first');
  await world.at('eu').execute(post);
  await world.time.sleep(1_000);
  const message = idOf(post);
  // It is there, and waits to be found by a look at what was not published.
  world.region('us').faults.failNext('append', 'after', new Doubtful('who knows'));
  expect(await outcomeOf(world.at('us').execute(world.remove(message)))).toBe('not-committed');
  await world.at('eu').execute(world.edit(message, 'edited', world.v()));
  await world.time.sleep(500);
  world.region('us').processes[0]!.crash();
  world.region('us').store.wipe();
  world.start('us');
  await world.time.sleep(120_000);
  for (const { store } of world.regions) {
    const doc = new Y.Doc();
    for (const row of await store.loadDocument(segmentName(WORKSPACE, CHANNEL, 1))) Y.applyUpdate(doc, row);
    const segment = new Segment(doc);
    expect(segment.isDeleted(message) || segment.copy(message).edits.length === 1).toBe(true);
  }
});
