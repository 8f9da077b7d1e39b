/* Losses that the stream cannot make good, each repaired from state: one list. */
import {
  canvasName,
  channelScope,
  encodeEntry,
  messageScope,
  segmentName,
  type Command,
} from '@causeway/protocol';
import { BusDown, Refused, type Bus } from '@causeway/replica';
import { afterEach, describe, expect, it } from 'vitest';
import * as Y from 'yjs';
import { durable } from './replay.ts';
import { CHANNEL, WORKSPACE, World, idOf, outcomeOf } from './world.ts';

const CANVAS = canvasName(WORKSPACE, 'plan');
const SEGMENT = segmentName(WORKSPACE, CHANNEL, 1);

let world: World;
const open = (regions = ['us', 'eu'], more: { seed?: number; processes?: number } = {}): World =>
  (world = new World({ regions, ...more }));
afterEach(() => world.close());

const say = (region: string, ...bodies: string[]) =>
  Promise.all(bodies.map((body) => world.at(region).execute(world.post(body))));
const shows = (region: string, ...bodies: string[]) =>
  world.until(
    async () => [...(await world.bodies(region))].sort().join() === [...bodies].sort().join(),
    `${bodies.join()} in ${region}`,
  );
const notices = (region: string) => world.region(region).processes.flatMap(({ notices }) => notices);
const lastSequence = (region: string) => world.network.broker(region).stream.lastSequence;
const outboxEmpty = (region: string) =>
  world.until(
    async () => (await world.region(region).store.unpublished({ olderThanMs: 0, limit: 1 })).length === 0,
    `the outbox of ${region} is empty`,
  );
/** What was said in `us` comes to `eu` by repair alone. */
const byRepairAlone = async (posts: Command[], beforeHealing = (): void => undefined): Promise<void> => {
  world.cut('us', 'eu');
  for (const post of posts) await world.at('us').execute(post);
  await outboxEmpty('us');
  beforeHealing();
  world.network.purge('us', lastSequence('us') + 1);
  world.heal();
};

/** Everything durable of two regions is the same, byte for byte. */
const alike = (one: string, other: string, scopes: string[] = [], canvases: string[] = []) =>
  world.until(async () => {
    const [a, b] = await Promise.all(
      [one, other].map((name) => durable(world.region(name), scopes, canvases)),
    );
    return JSON.stringify([a!.documents, a!.cells]) === JSON.stringify([b!.documents, b!.cells]);
  }, `${one} and ${other} hold the same`);

/** Writes into a canvas as a client would. */
async function draw(region: string, client: number, texts: string[], name = CANVAS): Promise<void> {
  const doc = new Y.Doc();
  doc.clientID = client;
  for (const text of texts) doc.getText('t').insert(0, text);
  await world.at(region).writeCanvas(name, Y.encodeStateAsUpdate(doc), 'ada');
}

describe('a loss is repaired from state', () => {
  it('R15 what retention deleted before a peer read it (PAINS 20)', async () => {
    open();
    await say('us', 'one');
    await shows('eu', 'one');
    world.cut('us', 'eu');
    const post = world.post('expired');
    await world.at('us').execute(post);
    await world.at('us').execute(world.react(idOf(post), true, world.v()));
    await world.time.sleep(5_000);
    world.network.purge('us', lastSequence('us') + 1);
    await say('us', 'after');
    world.heal();
    await shows('eu', 'one', 'expired', 'after');
    await alike('us', 'eu', [messageScope(WORKSPACE, CHANNEL, idOf(post))]);
    expect(notices('eu').some(({ what }) => what === 'repaired')).toBe(true);
  });

  it('R15 what a stream held that was made anew', async () => {
    open();
    await say('us', 'one');
    await shows('eu', 'one');
    world.cut('us', 'eu');
    await say('us', 'two');
    await outboxEmpty('us');
    world.network.recreate('us');
    await say('us', 'three');
    await outboxEmpty('us');
    world.heal();
    await shows('eu', 'one', 'two', 'three');
  });

  it('R15 a stream that lost its end and grew again while its publisher was away, seen by nobody', async () => {
    open();
    await say('us', 'one');
    await shows('eu', 'one');
    await world.time.sleep(3_000);
    const read = lastSequence('us');
    const { incarnation } = world.at('us').publisher.stream!;
    world.cut('us', 'eu');
    await say('us', 'lost');
    await outboxEmpty('us');
    world.region('us').processes[0]!.crash();
    // Numbered as the peer expects and as the publisher remembers: neither learns that something was lost.
    world.network.rewind('us', read);
    const { stream } = world.network.broker('us');
    const at = world.time.now();
    const bytes = encodeEntry({ kind: 'heartbeat', sentAt: at, incarnation });
    for (let n = 0; n < 50; n++)
      stream.append({ id: `${incarnation}.again${n}`, name: '-/heartbeat', bytes, at });
    world.start('us');
    await say('us', 'two');
    world.heal();
    await shows('eu', 'one', 'two', 'lost');
    expect(notices('eu').some(({ what }) => what === 'started-over')).toBe(false);
  });

  it('R15 a stream that lost its end and has grown past the cursor again', async () => {
    open();
    await say('us', 'one');
    await shows('eu', 'one');
    world.cut('us', 'eu');
    await say('us', 'lost');
    await outboxEmpty('us');
    world.region('us').processes[0]!.crash();
    world.network.rewind('us', 1);
    world.start('us');
    const later = Array.from({ length: 30 }, (_, n) => `later ${n}`);
    for (const body of later) await say('us', body);
    world.heal();
    await shows('eu', 'one', 'lost', ...later);
  });

  it('R3 R15 a region whose disk was deleted is whole again, what only it had published included', async () => {
    open(['us', 'eu', 'ap']);
    const post = world.post('one');
    await world.at('us').execute(post);
    await world.at('us').execute(world.react(idOf(post), true, world.v()));
    await say('eu', 'two');
    await draw('us', 7, ['hello', 'world']);
    for (const region of ['us', 'eu', 'ap']) await shows(region, 'one', 'two');
    await world.at('eu').execute(world.remove(idOf(post)));
    for (const region of ['us', 'eu', 'ap']) await shows(region, 'two');
    await outboxEmpty('us');
    world.region('us').processes[0]!.crash();
    world.region('us').store.wipe();
    world.network.wipe('us');
    world.start('us');
    await shows('us', 'two');
    await alike('us', 'eu', [messageScope(WORKSPACE, CHANNEL, idOf(post))], [CANVAS]);
    await say('us', 'three');
    await shows('ap', 'two', 'three');
  });

  it('R15 a new region that is killed while it fills itself goes on where it was (PAINS 21)', async () => {
    open(['us', 'eu']);
    world.region('eu').processes[0]!.crash();
    const names = Array.from({ length: 600 }, (_, n) => canvasName(WORKSPACE, `c${n}`));
    for (const [n, name] of names.entries()) await draw('us', n + 1, [`text ${n}`], name);
    await outboxEmpty('us');
    world.network.purge('us', lastSequence('us') + 1);
    const { store, faults } = world.region('eu');
    const there = async () =>
      (await Promise.all(names.map((name) => store.loadDocument(name)))).filter(({ length }) => length > 0)
        .length;
    let applies = 0;
    faults.inject((operation, when) => {
      if (operation === 'apply' && when === 'after') applies++;
      return undefined;
    });
    const filled: number[] = [];
    for (const upTo of [3, 8]) {
      world.start('eu');
      await world.until(() => applies >= upTo, `${upTo} transactions`);
      world.region('eu').processes[0]!.crash();
      filled.push(await there());
    }
    expect(filled[0]).toBeGreaterThan(0);
    expect(filled[1]).toBeGreaterThan(filled[0]!);
    expect(filled[1]).toBeLessThan(names.length);
    world.start('eu');
    await world.until(async () => (await there()) === names.length, 'full');
    await alike('us', 'eu', [], names);
    // What was there by then was not fetched again.
    const rows = await Promise.all(names.map((name) => store.loadDocument(name)));
    expect(Math.max(...rows.map(({ length }) => length))).toBe(1);
  });

  it('R10 R15 what the outbox could not hold while the broker was away (PAINS 24)', async () => {
    open();
    await say('us', 'before');
    await shows('eu', 'before');
    const { store } = world.region('us');
    // Each row counts as 40,000, so that the bound of 1,000,000 is met by a few of them.
    const [outboxSize, trimOutbox] = [store.outboxSize.bind(store), store.trimOutbox.bind(store)];
    const EACH = 40_000;
    store.outboxSize = async () => {
      const size = await outboxSize();
      return { ...size, rows: size.rows * EACH };
    };
    store.trimOutbox = (keep) => trimOutbox(keep / EACH);
    world.network.stop('us');
    const bodies = Array.from({ length: 100 }, (_, n) => `${n}`);
    let most = 0;
    for (const body of bodies) {
      await say('us', body);
      await draw('us', Number(body) + 1, [body]);
      await world.time.sleep(1_000);
      most = Math.max(most, (await outboxSize()).rows);
    }
    expect(notices('us').some(({ what }) => what === 'outbox-trimmed')).toBe(true);
    // The bound of 25, and what is written between two counts.
    expect(most).toBeLessThan(25 + 10 * 4);
    // Nothing of it is lost here.
    expect(await world.bodies('us')).toHaveLength(101);
    world.network.start('us');
    await shows('eu', 'before', ...bodies);
    await alike('us', 'eu', [], [CANVAS]);
  });

  it('R10 R15 what the stream could not hold while a peer was away: the oldest go, the peer repairs (PAINS 24)', async () => {
    open(['us', 'eu', 'ap']);
    world.cut('us', 'eu');
    const bodies = Array.from({ length: 100 }, (_, n) => `${n}`);
    for (const body of bodies) {
      await say('us', body);
      await draw('us', Number(body) + 1, [body]);
      // A stream of 40 messages that drops its oldest.
      world.network.purge('us', Math.max(1, lastSequence('us') - 40));
      await world.time.sleep(1_000);
    }
    // Who keeps up misses nothing of it.
    await shows('ap', ...bodies);
    expect(notices('ap').some(({ what }) => what === 'gap')).toBe(false);
    world.heal();
    await shows('eu', ...bodies);
    await alike('us', 'eu', [], [CANVAS]);
    expect(notices('eu').some(({ what }) => what === 'gap')).toBe(true);
  });

  it('R15 deletes, which move no state vector', async () => {
    open();
    const post = world.post('one');
    await world.at('us').execute(post);
    await draw('us', 7, ['abc']);
    await shows('eu', 'one');
    await alike('us', 'eu', [], [CANVAS]);
    world.cut('us', 'eu');
    const live = await world.at('us').documents.open(CANVAS);
    const client = new Y.Doc();
    Y.applyUpdate(client, Y.encodeStateAsUpdate(live.doc));
    const before = Y.encodeStateVector(client);
    client.getText('t').delete(0, 2);
    await world.at('us').writeCanvas(CANVAS, Y.encodeStateAsUpdate(client, before), 'ada');
    await outboxEmpty('us');
    world.network.purge('us', lastSequence('us') + 1);
    world.heal();
    await alike('us', 'eu', [], [CANVAS]);
    const there = await world.at('eu').documents.open(CANVAS);
    expect(there.doc.getText('t').toJSON()).toBe('c');
  });

  it('R10 R15 a document larger than any message (payload limit)', async () => {
    open();
    world.cut('us', 'eu');
    const word = 'x'.repeat(200_000);
    for (let n = 0; n < 20; n++) await draw('us', 100 + n, [word]);
    await outboxEmpty('us');
    world.network.purge('us', lastSequence('us') + 1);
    world.heal();
    await alike('us', 'eu', [], [CANVAS]);
  });

  it('R15 a pass over documents that are alike loads none of them', async () => {
    open();
    for (let channel = 0; channel < 200; channel++)
      await world.at('us').execute(world.post('hello', { channel: `c${channel}` }));
    const isCold = async (region: string): Promise<boolean> => {
      const buckets = await world.region(region).store.buckets();
      const sum = (of: 'names' | 'stale') => buckets.reduce((total, bucket) => total + bucket[of], 0);
      return sum('names') === 400 && sum('stale') === 0;
    };
    await world.until(async () => (await isCold('us')) && (await isCold('eu')), 'all digests are there');
    const loads: string[] = [];
    world.region('eu').faults.inject((operation, when) => {
      if (when === 'before' && ['loadDocument', 'loadState', 'loadCells'].includes(operation))
        loads.push(operation);
      return undefined;
    });
    let asked = 0;
    world.region('us').faults.inject((operation, when) => {
      if (when === 'before' && operation === 'buckets') asked++;
      return undefined;
    });
    await world.until(() => asked >= 2, 'two passes');
    expect(loads).toEqual([]);
  });

  it('R15 answers that get lost are asked for again', async () => {
    open();
    world.cut('us', 'eu');
    await say('us', 'one');
    await outboxEmpty('us');
    world.network.purge('us', lastSequence('us') + 1);
    world.network.broker('us').answersToLose = 3;
    world.heal();
    await shows('eu', 'one');
  });

  it('R15 a row that the database refuses ends no pass: the others come', async () => {
    open();
    const { store } = world.region('eu');
    const apply = store.apply.bind(store);
    const poison = segmentName(WORKSPACE, 'a-poison', 1);
    store.apply = (batch) =>
      batch.rows.some(({ entry }) => entry.kind === 'update' && entry.name === poison)
        ? Promise.reject(new Refused('not storable'))
        : apply(batch);
    await byRepairAlone([world.post('bad', { channel: 'a-poison' }), world.post('good')]);
    await shows('eu', 'good');
    expect(notices('eu').some(({ what }) => what === 'repair-failed')).toBe(true);
  });

  it('R15 many documents that the peer cannot read keep no other one back', async () => {
    open();
    const bad = Array.from({ length: 60 }, (_, n) => world.post('bad', { channel: `bad${n}` }));
    await byRepairAlone([...bad, world.post('good')], () => {
      const { store } = world.region('us');
      const loadDocument = store.loadDocument.bind(store);
      store.loadDocument = async (name) =>
        name.includes('/bad') ? [new Uint8Array([255, 255, 255, 255])] : loadDocument(name);
    });
    await shows('eu', 'good');
  });

  it('R1 R15 repairs are no echo: what came by repair is not published again', async () => {
    open();
    world.cut('us', 'eu');
    await say('us', 'one');
    await outboxEmpty('us');
    world.network.purge('us', lastSequence('us') + 1);
    world.heal();
    await shows('eu', 'one');
    const ours = world.network
      .broker('eu')
      .stream.read(1, 10_000)
      .map(({ name }) => name);
    expect(ours).not.toContain(SEGMENT);
    expect(
      ours.filter((name) => name !== '-/heartbeat' && name !== channelScope(WORKSPACE, CHANNEL)),
    ).toEqual([]);
  });
});

const atZone = (region: string, body: string, process = 0) =>
  world.region(region).processes[process]!.replica.execute(world.post(body), { level: 'zone' });

describe('level zone', () => {
  it('R3 is given when a peer has committed it, also for cells', async () => {
    open();
    const post = world.post('one');
    const ack = await world.at('us').execute(post, { level: 'zone' });
    expect(ack.level).toBe('zone');
    expect((await durable(world.region('eu'), [])).views[idOf(post)]).toMatchObject({ body: 'one' });
    const reaction = world.react(idOf(post), true, world.v());
    await world.at('us').execute(reaction, { level: 'zone' });
    expect(
      await world.region('eu').store.loadCells([messageScope(WORKSPACE, CHANNEL, idOf(post))]),
    ).toHaveLength(1);
  });

  it('R3 is not given while no peer answers; the write is made, and a repeat waits on', async () => {
    open();
    await say('us', 'warm');
    world.cut('us', 'eu');
    const post = world.post('one');
    expect(await outcomeOf(world.at('us').execute(post, { level: 'zone' }))).toBe('not-replicated');
    expect(await world.bodies('us')).toContain('one');
    const again = world.at('us').execute(post, { level: 'zone' });
    world.heal();
    expect((await again).level).toBe('zone');
    expect(await world.bodies('eu')).toContain('one');
  });

  it('R3 R4 a repeat through another process or another region is asked about', async () => {
    open(['us', 'eu'], { processes: 2 });
    const post = world.post('one');
    await world.at('us').execute(post);
    await shows('eu', 'one');
    for (const region of ['us', 'eu'])
      for (const { replica } of world.region(region).processes)
        expect((await replica.execute(post, { level: 'zone' })).level).toBe('zone');
  });

  it('R3 does not believe a report about an older incarnation', async () => {
    open();
    for (let n = 0; n < 50; n++) await atZone('us', `${n}`);
    world.network.cut('us', 'eu');
    world.network.recreate('us');
    await world.until(() => lastSequence('us') < 10, 'made anew');
    expect(await outcomeOf(atZone('us', 'later'))).toBe('not-replicated');
    expect(await world.bodies('eu')).not.toContain('later');
  });

  it('R3 is not given for what stands on rows that the stream has not got', async () => {
    world = new World({ regions: ['us', 'eu'], processes: 0 });
    world.start('eu');
    let lose = false;
    const publish = async (bus: Bus, message: Parameters<Bus['publish']>[0]) => {
      if (!lose || message.name !== SEGMENT) return bus.publish(message);
      lose = false;
      await world.time.sleep(3_000);
      throw new BusDown('lost on the way');
    };
    world.start('us', ({ store, bus }) => ({
      store,
      bus: new Proxy(bus, {
        get: (target, property) => {
          const member: unknown = Reflect.get(target, property, target);
          if (property === 'publish')
            return (message: Parameters<Bus['publish']>[0]) => publish(target, message);
          return typeof member === 'function' ? (member.bind(target) as unknown) : member;
        },
      }),
    }));
    await atZone('us', 'before');
    lose = true;
    await say('us', 'lost on the way');
    const post = world.post('behind it');
    await world.at('us').execute(post, { level: 'zone' });
    expect((await durable(world.region('eu'), [])).views[idOf(post)]).toMatchObject({ body: 'behind it' });
  });

  it('R3 is not given for what stands on rows that left a full outbox', async () => {
    open();
    await atZone('us', 'before');
    const { store } = world.region('us');
    const [outboxSize, trimOutbox] = [store.outboxSize.bind(store), store.trimOutbox.bind(store)];
    store.outboxSize = async () => ({ ...(await outboxSize()), rows: 2_000_000 });
    store.trimOutbox = () => trimOutbox(0);
    world.network.stop('us');
    await say('us', 'left the outbox');
    await world.until(() => notices('us').some(({ what }) => what === 'outbox-trimmed'), 'trimmed');
    await outboxEmpty('us');
    store.outboxSize = outboxSize;
    // Nobody can compare yet.
    world.network.broker('us').answersToLose = Number.MAX_SAFE_INTEGER;
    world.network.start('us');
    expect(await outcomeOf(atZone('us', 'stands on it'))).toBe('not-replicated');
    world.network.broker('us').answersToLose = 0;
    await shows('eu', 'before', 'left the outbox', 'stands on it');
    await atZone('us', 'after');
  });

  it('R3 survives the loss of the disks of the region that gave it', async () => {
    open(['us', 'eu', 'ap']);
    const bodies = Array.from({ length: 20 }, (_, n) => `${n}`);
    await Promise.all(bodies.map((body) => atZone('us', body)));
    world.region('us').processes[0]!.crash();
    world.region('us').store.wipe();
    world.network.wipe('us');
    world.start('us');
    for (const region of ['us', 'eu', 'ap']) await shows(region, ...bodies);
  });
});
