/* Receiving, resuming and repeating, each with its fault: one list. */
import { canvasName, channelScope, encodeEntry, segmentName } from '@causeway/protocol';
import { Doubtful, Refused, Unavailable } from '@causeway/replica';
import { afterEach, describe, expect, it } from 'vitest';
import * as Y from 'yjs';
import { durable } from './replay.ts';
import { CHANNEL, WORKSPACE, World, idOf } from './world.ts';

const CANVAS = canvasName(WORKSPACE, 'plan');

let world: World;
const open = (regions = ['us', 'eu'], more: { seed?: number } = {}): World =>
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
const published = (region: string) =>
  world.network
    .broker(region)
    .stream.read(1, 100_000)
    .filter(({ name }) => name !== '-/heartbeat');
/** Rows of the first segment's log. */
const logged = async (region: string): Promise<number> =>
  (await world.region(region).store.loadDocument(segmentName(WORKSPACE, CHANNEL, 1))).length;

/** Puts a message into a region's stream that none of its processes made. */
let injected = 0;
function inject(region: string, name: string, bytes: Uint8Array): void {
  const { stream } = world.network.broker(region);
  const incarnation = world.at(region).publisher.stream!.incarnation;
  stream.append({ id: `${incarnation}.x${injected++}`, name, bytes, at: world.time.now() });
  world.network.changed();
}

describe('the receiver', () => {
  it('R3 commits rows and cursor together: nothing is lost or applied twice after a crash on either side', async () => {
    for (const when of ['before', 'after'] as const) {
      open();
      await say('us', 'warm');
      await shows('eu', 'warm');
      const rows = await logged('eu');
      const gate = world.region('eu').faults.gate('apply', when);
      await say('us', 'one');
      await gate.reached;
      world.region('eu').processes[0]!.crash();
      gate.open(when === 'before' ? new Unavailable('killed') : undefined);
      world.start('eu');
      await shows('eu', 'warm', 'one');
      expect(await logged('eu'), when).toBe(rows + 1);
      world.close();
    }
  });

  it('R3 an apply whose answer was lost is not applied twice, and readers hear of it all the same', async () => {
    open();
    await say('us', 'warm');
    await shows('eu', 'warm');
    const rows = await logged('eu');
    let heard = 0;
    const listener = { update: () => void heard++, dropped: () => undefined };
    await world.at('eu').join(segmentName(WORKSPACE, CHANNEL, 1), listener);
    world.region('eu').faults.failNext('apply', 'after', new Doubtful('no answer'));
    await say('us', 'one');
    await world.until(() => heard === 1, 'heard', 900);
    await shows('eu', 'warm', 'one');
    expect(await logged('eu')).toBe(rows + 1);
  });

  it('R3 goes on when its own database was away for a while', async () => {
    open();
    const stop = world
      .region('eu')
      .faults.inject((operation) =>
        operation === 'apply' || operation === 'cursor'
          ? Promise.reject(new Unavailable('no connection'))
          : undefined,
      );
    await say('us', 'one', 'two');
    await world.time.sleep(5_000);
    stop();
    await shows('eu', 'one', 'two');
  });

  it('R1 does not echo: what a peer wrote does not come back out', async () => {
    open(['us', 'eu', 'ap']);
    await say('us', 'one');
    for (const region of ['eu', 'ap']) await shows(region, 'one');
    await world.time.sleep(10_000);
    // Each peer raises its own `top` once, and nothing else.
    for (const region of ['eu', 'ap'])
      expect(published(region).map(({ name }) => name)).toEqual([channelScope(WORKSPACE, CHANNEL)]);
  });

  it('R15 another process of the region takes over when the one that receives dies', async () => {
    open();
    world.start('eu');
    await say('us', 'one');
    await shows('eu', 'one');
    world.region('eu').processes[0]!.crash();
    await say('us', 'two');
    await shows('eu', 'one', 'two');
  });

  it('R15 receives again after its database took the role away', async () => {
    open();
    await say('us', 'one');
    await shows('eu', 'one');
    world.region('eu').store.loseLeads();
    await say('us', 'two');
    await shows('eu', 'one', 'two');
  });

  it('R1 cuts, resets, delays and repeats change nothing', async () => {
    open(['us', 'eu', 'ap']);
    const all: string[] = [];
    for (let round = 0; round < 12; round++) {
      const [one, other] = [world.random.pick(['us', 'eu']), 'ap'];
      const fault = round % 4;
      if (fault === 0) world.cut(one, other);
      if (fault === 1) world.network.reset(one, other);
      if (fault === 2) world.network.duplicate(one, other, true);
      if (fault === 3) world.heal();
      const bodies = [`${round} us`, `${round} eu`, `${round} ap`];
      all.push(...bodies);
      for (const [at, region] of ['us', 'eu', 'ap'].entries()) await say(region, bodies[at]!);
      await world.time.sleep(world.random.below(4_000));
    }
    world.heal();
    for (const region of ['us', 'eu', 'ap']) await shows(region, ...all);
  });
});

describe('the cursor', () => {
  it('R15 is believed after a reset: reading goes on where it was', async () => {
    open();
    await say('us', 'one');
    await shows('eu', 'one');
    const rows = await logged('eu');
    for (let n = 0; n < 5; n++) {
      world.network.reset('us', 'eu');
      await world.time.sleep(3_000);
    }
    await say('us', 'two');
    await shows('eu', 'one', 'two');
    expect(await logged('eu')).toBe(rows + 1);
    expect(notices('eu').filter(({ what }) => what === 'started-over')).toEqual([]);
  });

  it('R15 a hello that is behind its stream does not make a reader start over', async () => {
    open();
    await say('us', 'one');
    await shows('eu', 'one');
    // The broker stores and delivers at once, and acknowledges much later.
    world.network.broker('us').ackMs = 900;
    for (let n = 0; n < 6; n++) {
      await say('us', `more ${n}`);
      await world.until(async () => (await world.bodies('eu')).includes(`more ${n}`), 'there', 2_000);
      world.network.reset('us', 'eu');
      await world.time.sleep(300);
    }
    expect(notices('eu').filter(({ what }) => what === 'started-over')).toEqual([]);
  });

  it('R15 a recreated stream is read from its start, and everything comes again', async () => {
    open();
    await say('us', 'one', 'two');
    await shows('eu', 'one', 'two');
    world.cut('us', 'eu');
    await say('us', 'three');
    await world.time.sleep(5_000);
    world.network.recreate('us');
    await world.time.sleep(5_000);
    world.heal();
    await shows('eu', 'one', 'two', 'three');
    expect(notices('eu').some(({ what }) => what === 'started-over')).toBe(true);
    await say('us', 'four');
    await shows('eu', 'one', 'two', 'three', 'four');
  });

  it('R15 a stream that lost what it had acknowledged is noticed by who publishes, and refilled', async () => {
    open();
    await say('us', 'one');
    await shows('eu', 'one');
    world.cut('us', 'eu');
    await say('us', 'two');
    await world.until(async () => published('us').length >= 3, 'published');
    await world.until(
      async () => (await world.region('us').store.unpublished({ olderThanMs: 0, limit: 1 })).length === 0,
      'outbox empty',
    );
    // A power cut: the broker comes back without its newest messages, under the same name.
    world.network.rewind('us', 2);
    await world.time.sleep(5_000);
    world.heal();
    await shows('eu', 'one', 'two');
  });

  it('R15 a rewound stream that has grown past the cursor again is told by its message id', async () => {
    open();
    for (let n = 0; n < 5; n++) await say('us', `${n}`);
    await shows('eu', '0', '1', '2', '3', '4');
    world.cut('us', 'eu');
    await world.time.sleep(4_000);
    world.network.rewind('us', 1);
    const later = Array.from({ length: 30 }, (_, n) => `later ${n}`);
    for (const body of later) await say('us', body);
    await world.time.sleep(2_000);
    world.heal();
    await shows('eu', '0', '1', '2', '3', '4', ...later);
    expect(notices('eu').some(({ what }) => what === 'started-over')).toBe(true);
  });

  it('R15 another database under the same stream is another incarnation', async () => {
    open();
    await say('us', 'one');
    await shows('eu', 'one');
    world.region('us').processes[0]!.crash();
    world.region('us').store.wipe();
    world.start('us');
    await say('us', 'two');
    await shows('eu', 'one', 'two');
    await shows('us', 'one', 'two');
    const incarnations = new Set(published('us').map(({ id }) => id.slice(0, id.indexOf('.'))));
    expect(incarnations.size).toBe(2);
  });

  it('R15 what retention deleted is a gap that is told, and reading goes on', async () => {
    open();
    await say('us', 'one');
    await shows('eu', 'one');
    world.cut('us', 'eu');
    await say('us', 'expired');
    await world.time.sleep(5_000);
    world.network.purge('us', world.network.broker('us').stream.lastSequence);
    // Its own segment waits for the repair: later writes of that clientID there depend on the lost one.
    await world.at('us').execute(world.post('three', { channel: 'other' }));
    world.heal();
    const { store } = world.region('eu');
    const other = segmentName(WORKSPACE, 'other', 1);
    await world.until(async () => (await store.loadDocument(other)).length === 1, 'three');
    expect(notices('eu').some(({ what }) => what === 'gap')).toBe(true);
  });
});

describe('what a region cannot read', () => {
  const NEWER = Uint8Array.of(99, 1, 2, 3);

  it('R3 a newer version parks its document: later updates of it wait, those of others go on', async () => {
    open(['us', 'eu', 'ap']);
    await say('us', 'one');
    await shows('eu', 'one');
    inject('us', segmentName(WORKSPACE, CHANNEL, 1), NEWER);
    await world.until(() => notices('eu').some(({ what }) => what === 'parked'), 'parked');
    await say('us', 'waits');
    await world.at('us').execute(world.post('elsewhere', { channel: 'other' }));
    // From another peer it waits too.
    await say('ap', 'waits as well');
    const { store } = world.region('eu');
    const other = segmentName(WORKSPACE, 'other', 1);
    await world.until(async () => (await store.loadDocument(other)).length === 1, 'elsewhere');
    await world.time.sleep(3_000);
    expect(await world.bodies('eu')).toEqual(['one']);
    expect(await store.parkedNames()).toEqual([segmentName(WORKSPACE, CHANNEL, 1)]);
    world.region('eu').processes[0]!.crash();
    world.start('eu');
    await say('us', 'waits after a restart');
    await world.time.sleep(3_000);
    expect(await world.bodies('eu')).toEqual(['one']);
  });

  it('R3 a newer cell parks alone', async () => {
    open();
    const post = world.post('text');
    await world.at('us').execute(post);
    await shows('eu', 'text');
    inject('us', channelScope(WORKSPACE, CHANNEL), NEWER);
    await world.until(() => notices('eu').some(({ what }) => what === 'parked'), 'parked');
    const topic = (text: string) =>
      world.at('us').execute({
        kind: 'topic',
        workspace: WORKSPACE,
        channel: CHANNEL,
        member: 'ada',
        nonce: world.nonce(),
        topic: text,
        v: world.v(),
      });
    const arrived = (text: string) =>
      world.until(async () => {
        const cells = await world.region('eu').store.loadCells([channelScope(WORKSPACE, CHANNEL)]);
        return cells.some(({ value }) => JSON.stringify(value).includes(text));
      }, text);
    await topic('first');
    await arrived('first');
    world.region('eu').processes[0]!.crash();
    world.start('eu');
    await topic('second');
    await arrived('second');
  });

  it('R12 subject and content must name the same thing', async () => {
    open();
    await say('us', 'one');
    await shows('eu', 'one');
    const bytes = Y.encodeStateAsUpdate(new Y.Doc());
    const entry = encodeEntry({ kind: 'update', name: 'other/canvas/plan', bytes });
    inject('us', CANVAS, entry);
    await world.until(() => notices('eu').some(({ what }) => what === 'parked'), 'parked');
    expect(await world.region('eu').store.loadDocument('other/canvas/plan')).toEqual([]);
  });

  it('R10 bytes that are no envelope, no update or no name stop nobody', async () => {
    open();
    await say('us', 'one');
    await shows('eu', 'one');
    for (const [name, bytes] of [
      [canvasName(WORKSPACE, 'a'), new Uint8Array()],
      [canvasName(WORKSPACE, 'b'), Uint8Array.of(1, 200, 3)],
      [
        canvasName(WORKSPACE, 'c'),
        encodeEntry({ kind: 'update', name: canvasName(WORKSPACE, 'c'), bytes: Uint8Array.of(9, 9, 9) }),
      ],
      [
        segmentName(WORKSPACE, 'd', 1),
        encodeEntry({ kind: 'update', name: segmentName(WORKSPACE, 'd', 1), bytes: Uint8Array.of(1) }),
      ],
      ['nonsense', Uint8Array.of(1, 0)],
    ] as const)
      inject('us', name, bytes);
    await say('us', 'two');
    await shows('eu', 'one', 'two');
    expect(notices('eu').filter(({ what }) => what === 'parked').length).toBeGreaterThanOrEqual(4);
  });

  it('R10 what nobody can read holds up nothing else of its document', async () => {
    open();
    await say('us', 'one');
    await shows('eu', 'one');
    inject('us', segmentName(WORKSPACE, CHANNEL, 1), Uint8Array.of(1, 200, 3));
    await world.until(() => notices('eu').some(({ what }) => what === 'parked'), 'parked');
    await say('us', 'two');
    await shows('eu', 'one', 'two');
  });

  it('R10 a row that the database refuses is put aside, and the rest of its batch is applied', async () => {
    open();
    const { store } = world.region('eu');
    const apply = store.apply.bind(store);
    const poison = segmentName(WORKSPACE, 'poison', 1);
    store.apply = (batch) =>
      batch.rows.some(({ entry }) => entry.kind === 'update' && entry.name === poison)
        ? Promise.reject(new Refused('not storable'))
        : apply(batch);
    world.cut('us', 'eu');
    await say('us', 'one');
    await world.at('us').execute(world.post('bad', { channel: 'poison' }));
    await say('us', 'two');
    world.heal();
    await shows('eu', 'one', 'two');
    expect(await store.parkedNames()).toEqual([]);
    await say('us', 'three');
    await shows('eu', 'one', 'two', 'three');
  });

  it('R14 times that are none do not stop the clock', async () => {
    open();
    await say('us', 'one');
    await shows('eu', 'one');
    const doc = new Y.Doc();
    doc.getMap('m').set('no bar at all', { a: 'ada', b: 'none', o: 'us' });
    doc.getMap('m').set('odd|no time', { a: 'ada', b: 'odd', o: 'us' });
    const name = segmentName(WORKSPACE, CHANNEL, 1);
    inject('us', name, encodeEntry({ kind: 'update', name, bytes: Y.encodeStateAsUpdate(doc) }));
    const scope = channelScope(WORKSPACE, CHANNEL);
    inject('us', scope, encodeEntry({ kind: 'cells', scope, cells: [{ key: 'k', v: '!!!.x', value: 1 }] }));
    await world.until(async () => (await world.bodies('eu')).includes('odd'), 'odd');
    expect(world.at('eu').clock.tick()).toBeGreaterThan(world.time.now() * 1024 - 1);
    const ack = await world.at('eu').execute(world.post('still here'));
    expect(Number.isSafeInteger(ack.clock)).toBe(true);
  });
});

describe('lag', () => {
  it('R15 is the age of a heartbeat when it arrives, and a cut shows (PAINS 19)', async () => {
    open();
    world.network.delay('us', 'eu', 150);
    await world.time.sleep(5_000);
    const [peer] = world.at('eu').peers();
    expect(peer).toMatchObject({ peer: 'us', connected: true, lagMs: 150 });
    world.cut('us', 'eu');
    const heardAt = peer!.heardAt!;
    await world.time.sleep(10_000);
    expect(world.at('eu').peers()[0]).toMatchObject({ connected: false });
    expect(world.at('eu').peers()[0]!.heardAt! - heardAt).toBeLessThan(2_000);
  });
});

describe('a cut, and everything that was written on both sides of it', () => {
  /** In both regions and alike: what each of them wrote, cells and the canvas too. */
  async function isReconciled(bodies: string[]): Promise<boolean> {
    const [us, eu] = await Promise.all(world.regions.map((region) => durable(region, SCOPES, [CANVAS])));
    const shown = await Promise.all(['us', 'eu'].map((region) => world.bodies(region)));
    return (
      JSON.stringify([us!.documents, us!.cells]) === JSON.stringify([eu!.documents, eu!.cells]) &&
      shown.every((found) => [...found].sort().join() === [...bodies].sort().join())
    );
  }
  const SCOPES = [channelScope(WORKSPACE, CHANNEL)];

  it.each([
    ['1 s', 1],
    ['10 s', 10],
    ['1 min', 60],
    ['10 min', 600],
  ])('R5 R15 of %s is reconciled within 5 s of healing (PAINS 17)', async (_, seconds) => {
    open();
    const bodies = ['before'];
    await say('us', 'before');
    await shows('eu', 'before');
    const docs = new Map(['us', 'eu'].map((region) => [region, new Y.Doc()]));
    world.cut('us', 'eu');
    for (let second = 0; second < seconds; second += Math.max(1, seconds / 20)) {
      for (const [region, doc] of docs) {
        const body = `${region} at ${second}`;
        bodies.push(body);
        await say(region, body);
        doc.getText('t').insert(0, body);
        await world.at(region).writeCanvas(CANVAS, Y.encodeStateAsUpdate(doc), 'ada');
      }
      await world.time.sleep(Math.max(1_000, (seconds * 1_000) / 20));
    }
    world.heal();
    const healed = world.time.now();
    await world.until(() => isReconciled(bodies), 'reconciled', 60_000);
    expect(world.time.now() - healed).toBeLessThanOrEqual(5_000);
  });

  it.each([
    ['1 min', 60],
    ['10 min', 600],
  ])(
    'R15 of %s, longer than the streams reach back, is reconciled within 5 s of healing (PAINS 17)',
    async (_, seconds) => {
      open();
      const bodies = ['before'];
      await say('us', 'before');
      await shows('eu', 'before');
      world.cut('us', 'eu');
      for (const region of ['us', 'eu']) {
        bodies.push(region);
        await say(region, region);
      }
      await world.time.sleep(seconds * 1_000);
      for (const region of ['us', 'eu'])
        world.network.purge(region, world.network.broker(region).stream.lastSequence + 1);
      world.heal();
      const healed = world.time.now();
      await world.until(() => isReconciled(bodies), 'reconciled', 60_000);
      expect(world.time.now() - healed).toBeLessThanOrEqual(5_000);
    },
  );
});

it('R1 R3 R5 fully cut regions work alone and agree after healing', async () => {
  open(['us', 'eu', 'ap', 'sa']);
  const shared = world.post('shared');
  await world.at('us').execute(shared);
  for (const region of ['eu', 'ap', 'sa']) await shows(region, 'shared');
  for (const [at, one] of ['us', 'eu', 'ap', 'sa'].entries())
    for (const other of ['us', 'eu', 'ap', 'sa'].slice(at + 1)) world.cut(one, other);
  await Promise.all(
    ['us', 'eu', 'ap', 'sa'].flatMap((region) => [
      ...Array.from({ length: 50 }, (_, n) => world.at(region).execute(world.post(`${region} ${n}`))),
      world.at(region).execute(world.react(idOf(shared), true, world.v(), region)),
      world.at(region).execute(world.edit(idOf(shared), `edited in ${region}`, world.v())),
    ]),
  );
  await world.time.sleep(60_000);
  world.heal();
  for (const region of ['us', 'eu', 'ap', 'sa'])
    await world.until(async () => (await world.bodies(region)).length === 201, `all in ${region}`);
  await world.time.sleep(60_000);
  const states = await Promise.all(world.regions.map((region) => durable(region, [])));
  for (const state of states) expect(state).toEqual(states[0]);
});
