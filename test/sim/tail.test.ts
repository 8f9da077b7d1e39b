import { canvasName, channelScope, segmentName } from '@causeway/protocol';
import { Doubtful, SEGMENT, Unavailable, type Reader } from '@causeway/replica';
import { afterEach, describe, expect, it } from 'vitest';
import * as Y from 'yjs';
import { reencoded } from './replay.ts';
import { CHANNEL, WORKSPACE, World, idOf, outcomeOf, turns, type Process } from './world.ts';

const CANVAS = canvasName(WORKSPACE, 'plan');
const SEGMENT_1 = segmentName(WORKSPACE, CHANNEL, 1);
const SCOPE = channelScope(WORKSPACE, CHANNEL);

let world: World;
afterEach(() => world.close());

/** One region with several processes. */
function open(processes: number, seed = 1): Process[] {
  world = new World({ regions: ['us'], processes, seed });
  return world.region('us').processes;
}

/** Nothing that is told between processes arrives. */
const deafen = (): void => void (world.network.broker('us').tellsToLose = Number.MAX_SAFE_INTEGER);

/** A document as a process shows it to somebody who watches it. */
async function watch(
  process: Process,
  name: string,
): Promise<{ doc: Y.Doc; updates: number; reader: Reader }> {
  const watched = { doc: new Y.Doc(), updates: 0, reader: undefined as unknown as Reader };
  watched.reader = await process.replica.join(name, {
    update: (bytes) => {
      watched.updates++;
      Y.applyUpdate(watched.doc, bytes);
    },
    dropped: () => undefined,
  });
  Y.applyUpdate(watched.doc, (await watched.reader.read()).difference);
  return watched;
}

const bodiesIn = (doc: Y.Doc): string[] =>
  [...doc.getMap<{ b: string }>('m').values()].map(({ b }) => b).sort();

function typed(doc: Y.Doc, text: string): Uint8Array {
  const before = Y.encodeStateVector(doc);
  doc.getText('t').insert(0, text);
  return Y.encodeStateAsUpdate(doc, before);
}

describe('processes of one region', () => {
  it('R5 hear each other at once, and the tail repeats nothing of it to those who watch', async () => {
    const [one, other] = open(2);
    const watched = await watch(other!, SEGMENT_1);
    const topics: unknown[] = [];
    other!.replica.subscribeCells(SCOPE, (_, cells) => void topics.push(...cells.map(({ key }) => key)));
    await one!.replica.execute(world.post('hello'));
    const at = world.time.now();
    await world.until(() => watched.updates === 1, 'the post is heard');
    expect(world.time.now() - at).toBeLessThan(100);
    await world.time.sleep(5_000);
    expect([bodiesIn(watched.doc), watched.updates, topics]).toEqual([['hello'], 1, ['top|us']]);
  });

  it('R15 a core message that is lost: the tail brings it', async () => {
    const [one, other] = open(2);
    const watched = await watch(other!, SEGMENT_1);
    const heard: string[] = [];
    other!.replica.subscribeCells(SCOPE, (_, cells) => void heard.push(...cells.map(({ key }) => key)));
    deafen();
    const post = world.post('hello');
    await one!.replica.execute(post);
    await one!.replica.execute(world.react(idOf(post), true, world.v()));
    await world.until(() => heard.length === 2 && watched.updates === 1, 'all is there', 1_500);
    expect([bodiesIn(watched.doc), heard.sort()]).toEqual([['hello'], ['top|us', '👍|bob']]);
    await world.time.sleep(3_000);
    expect([watched.updates, heard.length]).toEqual([1, 2]);
  });

  it('R5 with NATS down a one-second tail replaces it, in both directions', async () => {
    const [one, other] = open(2);
    world.network.stop('us');
    const [here, there] = [await watch(one!, CANVAS), await watch(other!, CANVAS)];
    const [ada, bob] = [new Y.Doc(), new Y.Doc()];
    await one!.replica.writeCanvas(CANVAS, typed(ada, 'ada'), 'ada');
    await other!.replica.writeCanvas(CANVAS, typed(bob, 'bob'), 'bob');
    const texts = (): string[] => [here, there].map(({ doc }) => doc.getText('t').toJSON());
    await world.until(() => texts().every((text) => text.length === 6), 'both have both', 1_500);
    expect(new Set(texts()).size).toBe(1);
  });

  it('R15 what a client wrote too early goes on when the tail brings what it lacked', async () => {
    const [one, other] = open(2);
    deafen();
    const client = new Y.Doc();
    const [first, second] = [typed(client, 'b'), typed(client, 'a')];
    const watched = await watch(other!, CANVAS);
    await other!.replica.writeCanvas(CANVAS, second, 'ada');
    await one!.replica.writeCanvas(CANVAS, first, 'ada');
    await world.until(() => watched.doc.getText('t').toJSON() === 'ab', 'the later one is in');
    const log = await world.region('us').store.loadDocument(CANVAS);
    expect(reencoded(log).doc.getText('t').toJSON()).toBe('ab');
  });

  it('R15 what commits while a document is being loaded is not missed', async () => {
    const [one, other] = open(2);
    deafen();
    await one!.replica.execute(world.post('before'));
    const gate = world.region('us').faults.gate('loadDocument', 'after');
    const opening = other!.replica.documents.open(SEGMENT_1);
    await gate.reached;
    await one!.replica.execute(world.post('while it loads'));
    await world.time.sleep(2_000);
    gate.open();
    expect(bodiesIn((await opening).doc)).toEqual(['before', 'while it loads']);
  });

  it('R15 the first load of a process waits for the beginning of its tail', async () => {
    const [one] = open(1);
    await one!.replica.execute(world.post('before'));
    // Not even the outbox tells.
    world.network.stop('us');
    const gate = world.region('us').faults.gate('horizon');
    const other = world.start('us');
    const opening = other.replica.documents.open(SEGMENT_1);
    await gate.reached;
    await one!.replica.execute(world.post('meanwhile'));
    gate.open();
    const live = await opening;
    await one!.replica.execute(world.post('after'));
    await world.until(() => bodiesIn(live.doc).length === 3, 'all three');
  });

  it.each([
    ['landed after all', 'after', ['before', 'doubtful']],
    ['did not', 'before', ['before']],
  ] as const)('R15 a doubtful commit that %s: memory follows the log', async (_, when, expected) => {
    const [one, other] = open(2);
    deafen();
    await one!.replica.execute(world.post('before'));
    await other!.replica.documents.open(SEGMENT_1);
    world.region('us').faults.failNext('append', when, new Doubtful('no answer'));
    expect(await outcomeOf(one!.replica.execute(world.post('doubtful')))).toBe('not-committed');
    await world.time.sleep(2_000);
    for (const { replica } of [one!, other!])
      expect(bodiesIn((await replica.documents.open(SEGMENT_1)).doc)).toEqual(expected);
  });

  it('R15 a copy that was dropped while its row was being committed gets that row back', async () => {
    const [one] = open(1);
    await one!.replica.execute(world.post('before'));
    const gate = world.region('us').faults.gate('append');
    const posting = one!.replica.execute(world.post('in flight'));
    await gate.reached;
    one!.replica.documents.drop(SEGMENT_1);
    const live = await one!.replica.documents.open(SEGMENT_1);
    gate.open();
    await posting;
    await world.until(() => bodiesIn(live.doc).length === 2, 'both');
  });

  it('R8 the copy that takes the place of one with a commit in flight never uses its clocks again', async () => {
    const [one] = open(1);
    await one!.replica.execute(world.post('before'));
    const gate = world.region('us').faults.gate('append');
    const posting = one!.replica.execute(world.post('in flight'));
    await gate.reached;
    one!.replica.documents.drop(SEGMENT_1);
    await one!.replica.documents.open(SEGMENT_1);
    const behind = one!.replica.execute(world.post('behind'));
    await turns();
    gate.open();
    await Promise.all([posting, behind]);
    const logged = new Y.Doc();
    for (const row of await world.region('us').store.loadDocument(SEGMENT_1)) Y.applyUpdate(logged, row);
    expect(bodiesIn(logged)).toEqual(['before', 'behind', 'in flight']);
  });

  it('R10 what a process wrote itself is not read again', async () => {
    const [one] = open(1);
    const { store } = world.region('us');
    const asked: number[] = [];
    const loadRows = store.loadRows.bind(store);
    store.loadRows = (rows) => {
      asked.push(rows.length);
      return loadRows(rows);
    };
    for (let n = 0; n < 20; n++) await one!.replica.execute(world.post(`n${n}`));
    await world.time.sleep(3_000);
    // The projector reads each once, for its index; the tail none.
    expect(asked.reduce((sum, rows) => sum + rows, 0)).toBe(20);
  });

  it('R5 a database that is gone for a while: the tail goes on where it was', async () => {
    const [one, other] = open(2);
    deafen();
    const watched = await watch(other!, SEGMENT_1);
    await one!.replica.execute(world.post('one'));
    const heal = world
      .region('us')
      .faults.inject((operation) =>
        operation === 'tail' ? Promise.reject(new Unavailable('gone')) : undefined,
      );
    await one!.replica.execute(world.post('two'));
    await world.time.sleep(10_000);
    heal();
    await world.until(() => bodiesIn(watched.doc).length === 2, 'both', 2_000);
  });
});

describe('the quota of a segment', () => {
  it('R10 is the region’s, whichever of its processes post', async () => {
    const processes = open(3);
    const wave = 20;
    for (let n = 0; n < 2_000; n += wave)
      await Promise.all(
        Array.from({ length: wave }, (_, k) =>
          processes[(n + k) % 3]!.replica.execute(world.post(`n${n + k}`)),
        ),
      );
    const segments = await world.region('us').store.segments(SCOPE);
    expect(segments.reduce((sum, { posts }) => sum + posts, 0)).toBe(2_000);
    for (const { posts } of segments) expect(posts).toBeLessThanOrEqual(SEGMENT.posts + wave);
    expect(segments.length).toBeLessThanOrEqual(2_000 / SEGMENT.posts + 1);
  });
});

/** Random writes by three processes of which nobody hears everything, and commits that fail. */
async function randomRegion(seed: number): Promise<Process[]> {
  const processes = open(3, seed);
  const { random, network, time } = world;
  const { faults } = world.region('us');
  const posts: ReturnType<World['post']>[] = [];
  const clients = [new Y.Doc(), new Y.Doc()];
  const writes: Promise<unknown>[] = [];
  for (let step = 0; step < 150; step++) {
    const { replica } = random.pick(processes);
    const roll = random.below(100);
    if (roll < 30) posts.push(world.post(`n${step}`));
    const post = posts.length === 0 ? world.post('first') : random.pick(posts);
    const client = random.pick(clients);
    if (roll < 40) writes.push(outcomeOf(replica.execute(post)));
    else if (roll < 50)
      writes.push(outcomeOf(replica.execute(world.edit(idOf(post), `e${step}`, world.v()))));
    else if (roll < 55) writes.push(outcomeOf(replica.execute(world.remove(idOf(post)))));
    else if (roll < 65)
      writes.push(outcomeOf(replica.execute(world.react(idOf(post), random.chance(50), world.v()))));
    else if (roll < 80)
      writes.push(replica.writeCanvas(CANVAS, typed(client, `${step} `), 'ada').catch(() => undefined));
    else if (roll < 85) network.broker('us').tellsToLose = random.below(20);
    else if (roll < 88) network.stop('us');
    else if (roll < 92) network.start('us');
    else if (roll < 96)
      faults.failNext('append', random.chance(50) ? 'before' : 'after', new Doubtful('no answer'));
    else
      faults.failNext(random.pick(['tail', 'loadRows', 'loadDocument']), 'before', new Unavailable('gone'));
    await time.sleep(random.below(200));
  }
  faults.clear();
  await Promise.all(writes);
  return processes;
}

describe('random regions', () => {
  it.each(Array.from({ length: 12 }, (_, n) => n + 1))(
    'R15 memory of every process is the log in the end: seed %i',
    async (seed) => {
      const processes = await randomRegion(seed);
      await world.time.sleep(5_000);
      await turns();
      const { store } = world.region('us');
      for (const { replica } of processes) {
        for (const name of replica.documents.names()) {
          const live = await replica.documents.open(name);
          expect(reencoded([Y.encodeStateAsUpdate(live.doc)]).bytes).toBe(
            reencoded(await store.loadDocument(name)).bytes,
          );
        }
        for (const scope of replica.cells.scopes()) {
          const held = [...(await replica.cells.open(scope)).values()].map(({ key, v, value }) => ({
            key,
            v,
            value,
          }));
          const stored = (await store.loadCells([scope])).map(({ key, v, value }) => ({ key, v, value }));
          expect(new Set(held)).toEqual(new Set(stored));
        }
      }
    },
  );
});
