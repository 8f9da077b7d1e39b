import { channelScope, segmentName, type Message } from '@causeway/protocol';
import {
  Doubtful,
  Segment,
  Unavailable,
  indexUpdate,
  rebuildViews,
  timeOfPost,
  type Row,
} from '@causeway/replica';
import { afterEach, describe, expect, it } from 'vitest';
import * as Y from 'yjs';
import { countedFrom, countedIn, type Counted } from './counted.ts';
import { durable, reencoded } from './replay.ts';
import { CHANNEL, WORKSPACE, World, idOf, outcomeOf, type Region } from './world.ts';

const SCOPE = channelScope(WORKSPACE, CHANNEL);

/** A few of these fill a segment. */
const LONG = 'x'.repeat(30_000);

let world: World;
afterEach(() => world.close());

function open(options: { regions?: string[]; processes?: number; seed?: number } = {}): Region {
  world = new World({ regions: ['us'], ...options });
  return world.regions[0]!;
}

/** The view of the channel as the database has it, by id. */
async function view({ store }: Region): Promise<Record<string, Message>> {
  const messages = await store.viewMessages(SCOPE, undefined, 100_000);
  return Object.fromEntries(messages.map((message) => [message.id, message]));
}

/** What a replay of the log says that the view must be. */
async function truth(region: Region): Promise<Record<string, unknown>> {
  const { views } = await durable(region, []);
  return Object.fromEntries(Object.entries(views).filter(([, message]) => message !== undefined));
}

/** Threads, mentions and places of copies: as the view has them, and as the log says. */
async function counted(region: Region): Promise<Counted> {
  return countedIn(region.store, SCOPE, Object.values(await view(region)));
}
async function countedTruth({ store }: Region, messages: Record<string, unknown>): Promise<Counted> {
  const segments = new Map<number, Y.Doc>();
  for (const { segment } of await store.segments(SCOPE)) {
    const updates = await store.loadDocument(segmentName(WORKSPACE, CHANNEL, segment));
    segments.set(segment, reencoded(updates).doc);
  }
  return countedFrom(segments, Object.values(messages) as Message[]);
}

/** Until the view has passed all that is committed now. */
async function passed({ store }: Region): Promise<void> {
  const rows = await store.segments(SCOPE);
  const names = rows.map(({ segment }) => `${WORKSPACE}/segment/${CHANNEL}/${segment}`);
  const last = await store.lastCommit(names);
  await world.until(async () => (await store.viewState()).position >= last, 'the view has passed');
}

const rebuild = ({ store }: Region): Promise<void> =>
  rebuildViews(
    store,
    world.time,
    { progress: () => undefined, failed: () => undefined },
    new AbortController().signal,
  );

/** A segment of 430 posts, in one row. */
function fullSegment(number: number): Row {
  const doc = new Y.Doc();
  const segment = new Segment(doc);
  for (let n = 0; n < 430; n++)
    segment.post(`${number}-${n}`.padEnd(22, '_'), timeOfPost(world.v(), n), {
      a: 'ada',
      b: `${n}`,
      o: 'eu',
    });
  const name = segmentName(WORKSPACE, CHANNEL, number);
  const bytes = Y.encodeStateAsUpdate(doc);
  return { entry: { kind: 'update', name, bytes }, index: indexUpdate(name, bytes)! };
}

/** Every third one a reply, some of those shown in the channel too. */
function randomPost(posts: readonly ReturnType<World['post']>[], step: number): ReturnType<World['post']> {
  const { random } = world;
  const post = world.post(`n${step} @ben${step % 4} ${random.chance(60) ? LONG : ''}`);
  if (posts.length === 0 || random.chance(67)) return post;
  return { ...post, thread: idOf(random.pick(posts)), ...(random.chance(30) ? { also: true } : {}) };
}

/** Posts, repeats through several regions, edits, deletes, cuts and crashes. */
async function randomWorld(seed: number): Promise<void> {
  open({ regions: ['us', 'eu'], processes: 2, seed });
  const { random, time } = world;
  const posts: ReturnType<World['post']>[] = [];
  const writes: Promise<unknown>[] = [];
  for (let step = 0; step < 120; step++) {
    const region = random.pick(world.regions);
    const { replica } = random.pick(region.processes);
    const roll = random.below(100);
    if (roll < 40 || posts.length === 0) posts.push(randomPost(posts, step));
    const post = roll < 30 ? posts.at(-1)! : random.pick(posts);
    if (roll < 50) {
      writes.push(outcomeOf(replica.execute(post)));
      // The same command through the other region, at once: a second copy.
      if (random.chance(30))
        writes.push(outcomeOf(random.pick(world.regions).processes[0]!.replica.execute(post)));
    } else if (roll < 70)
      writes.push(
        outcomeOf(
          replica.execute(
            world.edit(
              idOf(post),
              `e${step} ${random.chance(30) ? '@channel' : ''}`,
              world.v(random.below(50)),
            ),
          ),
        ),
      );
    else if (roll < 80) writes.push(outcomeOf(replica.execute(world.remove(idOf(post)))));
    else if (roll < 84) world.cut('us');
    else if (roll < 90) world.heal();
    else if (roll < 93) {
      random.pick(region.processes).crash();
      world.start(region.name);
    } else if (roll < 97)
      region.faults.failNext(
        random.pick(['append', 'apply', 'project']),
        random.chance(50) ? 'before' : 'after',
        new Doubtful('no answer'),
      );
    else
      region.faults.failNext(
        random.pick(['tail', 'loadRows', 'copies', 'viewState', 'loadDocument']),
        'before',
        new Unavailable('gone'),
      );
    await time.sleep(random.below(300));
  }
  for (const { faults } of world.regions) faults.clear();
  world.heal();
  await Promise.race([Promise.all(writes), time.sleep(10_000)]);
  await time.sleep(10_000);
}

describe('the view of messages', () => {
  it.each(Array.from({ length: 8 }, (_, n) => n + 1))(
    'R9 is what a replay of the log says, and so is a rebuilt one: seed %i',
    async (seed) => {
      await randomWorld(seed);
      for (const region of world.regions) {
        await passed(region);
        const expected = await truth(region);
        expect(await view(region)).toEqual(expected);
        const counts = await countedTruth(region, expected);
        expect(await counted(region)).toEqual(counts);
        await rebuild(region);
        expect(await view(region)).toEqual(expected);
        expect(await counted(region)).toEqual(counts);
        expect(counts.threads).not.toEqual([]);
        expect(counts.countables.some(({ mentions }) => mentions.members.length > 0)).toBe(true);
      }
      const [us] = world.regions;
      expect(Object.keys(await view(us!)).length).toBeGreaterThan(5);
      expect((await us!.store.segments(SCOPE)).length).toBeGreaterThan(1);
    },
  );

  it('R9 a rebuild mends what was wrong, and takes away what is no message', async () => {
    const region = open();
    const post = world.post('right');
    await world.at('us').execute(post);
    await passed(region);
    const { position } = await region.store.viewState();
    const [message] = Object.values(await view(region));
    const wrong = { ...message!, body: 'wrong' };
    const none = { ...message!, id: 'AAAAAAAAAAAAAAAAAAAAAA' };
    const mentions = { members: ['ben'], channel: false, here: false };
    const copies = [{ segment: 1, client: 1, clock: 1 }];
    const messages = [wrong, none].map((message) => ({ channel: SCOPE, message, mentions, copies }));
    await region.store.project({ from: position, to: position + 1, messages, gone: [], awaiting: [] });
    expect(Object.keys(await view(region))).toHaveLength(2);
    await rebuild(region);
    expect(await view(region)).toEqual(await truth(region));
    expect(await counted(region)).toEqual(await countedTruth(region, await truth(region)));
  });

  it('R9 a rebuild from compacted documents is the same, while writing goes on', async () => {
    const region = open();
    const posts = Array.from({ length: 40 }, (_, n) => world.post(`n${n}`));
    for (const post of posts) await world.at('us').execute(post);
    for (const post of posts.slice(0, 10)) await world.at('us').execute(world.remove(idOf(post)));
    const { store } = region;
    const rows = async (): Promise<number> =>
      (await store.loadDocument(`${WORKSPACE}/segment/${CHANNEL}/1`)).length;
    await world.until(async () => (await rows()) < 40, 'compacted', 3_600_000);
    const writing = (async () => {
      for (let n = 0; n < 20; n++) {
        await world.at('us').execute(world.post(`later ${n}`));
        await world.time.sleep(20);
      }
    })();
    await rebuild(region);
    await writing;
    await passed(region);
    expect(await view(region)).toEqual(await truth(region));
    expect(Object.keys(await view(region))).toHaveLength(50);
  });

  it('R9 a rebuild without any server does the work itself', async () => {
    const region = open();
    for (let n = 0; n < 30; n++) await world.at('us').execute(world.post(`n${n}`));
    region.processes[0]!.crash();
    const seen: number[] = [];
    await rebuildViews(
      region.store,
      world.time,
      { progress: ({ position }) => void seen.push(position), failed: () => undefined },
      new AbortController().signal,
    );
    const { position, rebuildTo } = await region.store.viewState();
    expect(position).toBeGreaterThanOrEqual(rebuildTo);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(Object.keys(await view(region))).toHaveLength(30);
  });

  it.each(['before', 'after'] as const)(
    'R9 a projector that fails %s writing loses nothing',
    async (when) => {
      const region = open();
      for (let n = 0; n < 20; n++) {
        for (const operation of ['project', 'tail', 'copies', 'loadRows'] as const)
          region.faults.failNext(operation, when, new Doubtful('no answer'));
        await world
          .at('us')
          .execute(world.post(`n${n}`))
          .catch(() => undefined);
        await world.time.sleep(500);
      }
      region.faults.clear();
      await passed(region);
      expect(await view(region)).toEqual(await truth(region));
    },
  );

  it('R9 two projectors at once write what one would', async () => {
    const region = open({ processes: 0 });
    const { store } = region;
    const lead = store.lead.bind(store);
    store.lead = (role, work, signal) => (role === 'projector' ? work(signal) : lead(role, work, signal));
    for (let n = 0; n < 3; n++) world.start('us');
    const posts: ReturnType<World['post']>[] = [];
    for (let n = 0; n < 60; n++) {
      const { replica } = region.processes[n % 3]!;
      posts.push(world.post(`n${n}`));
      await replica.execute(posts[n]!);
      const { items } = await replica.messages(WORKSPACE, CHANNEL, undefined, 1);
      expect(items[0]!.body).toBe(`n${n}`);
      await outcomeOf(replica.execute(world.edit(idOf(posts[n >> 1]!), `e${n}`, world.v())));
      if (n % 7 === 0) await outcomeOf(replica.execute(world.remove(idOf(posts[n >> 2]!))));
      await world.time.sleep(n % 5);
    }
    await passed(region);
    expect(await view(region)).toEqual(await truth(region));
    expect(
      region.processes.flatMap(({ notices }) => notices).filter(({ what }) => what === 'projector-failed'),
    ).toEqual([]);
  });

  it('R9 who came second does not say that he wrote', async () => {
    const region = open();
    const { replica } = region.processes[0]!;
    const project = region.store.project.bind(region.store);
    for (let n = 0; n < 5; n++) {
      let refusals = 2;
      region.store.project = (projection) => (refusals-- > 0 ? Promise.resolve(false) : project(projection));
      await replica.execute(world.post(`n${n}`));
      const { items } = await replica.messages(WORKSPACE, CHANNEL, undefined, 1);
      expect(items.map(({ body }) => body)).toEqual([`n${n}`]);
    }
  });

  it('R9 a new projector knows what the one before it knew, though nobody told it', async () => {
    const region = open({ processes: 2 });
    world.network.stop('us');
    const [one, other] = region.processes;
    const post = world.post('first');
    await one!.replica.execute(post);
    await passed(region);
    // In memory there, before the edit that it will not hear of.
    await other!.replica.messages(WORKSPACE, CHANNEL, undefined, 1);
    await other!.replica.documents.open(`${WORKSPACE}/segment/${CHANNEL}/1`);
    await one!.replica.execute(world.edit(idOf(post), 'the later one', world.v(500)));
    await passed(region);
    one!.crash();
    await other!.replica.execute(world.edit(idOf(post), 'the earlier one', world.v(0)));
    await passed(region);
    expect(Object.values(await view(region)).map(({ body }) => body)).toEqual(['the later one']);
  });

  it('R2 what is not committed is never in it', async () => {
    const region = open({ processes: 2 });
    const [one, other] = region.processes;
    const projected = new Set<string>();
    const project = region.store.project.bind(region.store);
    region.store.project = (projection) => {
      for (const { message } of projection.messages) projected.add(message.body);
      return project(projection);
    };
    const post = world.post('before');
    await one!.replica.execute(post);
    await passed(region);
    for (let n = 0; n < 10; n++) {
      // The first append of this round waits and then fails; the second one goes through.
      const { promise, reject } = Promise.withResolvers<void>();
      let isFirst = true;
      const stop = region.faults.inject((operation, when) => {
        if (operation !== 'append' || when !== 'before' || !isFirst) return undefined;
        isFirst = false;
        return promise;
      });
      const lost = outcomeOf(one!.replica.execute(world.edit(idOf(post), `lost ${n}`, world.v(100))));
      await world.time.sleep(5);
      await other!.replica.execute(world.edit(idOf(post), `kept ${n}`, world.v()));
      await world.time.sleep(20);
      reject(new Unavailable('gone'));
      expect(await lost).toBe('not-committed');
      stop();
      await passed(region);
      expect(Object.values(await view(region)).map(({ body }) => body)).toEqual([`kept ${n}`]);
      await world.time.sleep(200);
    }
    expect([...projected].filter((body) => body.startsWith('lost'))).toEqual([]);
  });

  it('R2 a copy that was dropped because its commit failed shows nothing of it', async () => {
    const region = open();
    const { replica } = region.processes[0]!;
    const { documents } = replica;
    const post = world.post('before');
    await replica.execute(post);
    await passed(region);
    const openDocument = documents.open.bind(documents);
    documents.open = async (name) => {
      documents.open = openDocument;
      const live = await openDocument(name);
      live.author(1, () => live.segment!.edit(idOf(post), 'c', { b: 'never committed', v: world.v(9_000) }));
      documents.drop(name);
      return live;
    };
    await rebuild(region);
    expect(Object.values(await view(region)).map(({ body }) => body)).toEqual(['before']);
  });

  it('R10 a large page is read in smaller ones', async () => {
    const region = open();
    const largest = { messages: 0 };
    const project = region.store.project.bind(region.store);
    for (let n = 0; n < 24; n++)
      await Promise.all(
        Array.from({ length: 300 }, (_, k) =>
          world.at('us').execute(world.post(`n${n}.${k}`, { channel: `c${k % 3}` })),
        ),
      );
    await world.time.sleep(1_000);
    region.store.project = (projection) => {
      largest.messages = Math.max(largest.messages, projection.messages.length);
      return project(projection);
    };
    await rebuild(region);
    expect(largest.messages).toBeLessThanOrEqual(5_000 + 500);
    expect(largest.messages).toBeGreaterThan(300);
    const shown = await Promise.all(
      [0, 1, 2].map((k) => region.store.viewMessages(channelScope(WORKSPACE, `c${k}`), undefined, 10_000)),
    );
    expect(shown.map(({ length }) => length)).toEqual([2_400, 2_400, 2_400]);
  });

  it('R9 a commit of very many messages is passed though nothing but cells stands before it', async () => {
    const region = open();
    await world.at('us').execute(world.post('before'));
    await passed(region);
    region.processes[0]!.crash();
    // As repair brings them to an emptied region: reactions first, then many segments in one transaction.
    const reactions = [1, 2, 3].map((n) => ({ key: `+|member${n}`, v: `${n}`, value: true }));
    const scope = `${WORKSPACE}/message/${CHANNEL}/AAAAAAAAAAAAAAAAAAAAAA`;
    const from = { peer: 'eu', own: [], parked: [] };
    await region.store.apply({ ...from, rows: [{ entry: { kind: 'cells', scope, cells: reactions } }] });
    await region.store.apply({ ...from, rows: Array.from({ length: 13 }, (_, n) => fullSegment(n + 2)) });
    world.start('us');
    await world.until(
      async () => (await region.store.viewMessages(SCOPE, undefined, 10_000)).length === 1 + 13 * 430,
      'all are in the view',
    );
  });

  it('R10 a document that nobody can read holds up nothing else', async () => {
    const region = open();
    await world.at('us').execute(world.post('elsewhere', { channel: 'other' }));
    await world.at('us').execute(world.post('one'));
    await passed(region);
    const { store } = region;
    const loadDocument = store.loadDocument.bind(store);
    region.processes[0]!.crash();
    store.loadDocument = async (name) =>
      name.includes(`/${CHANNEL}/`) ? [new Uint8Array([255, 255, 255, 255])] : loadDocument(name);
    const { notices } = world.start('us');
    await rebuild(region);
    expect(await store.viewMessages(channelScope(WORKSPACE, 'other'), undefined, 10)).toHaveLength(1);
    expect(notices.map(({ what }) => what)).toContain('projector-failed');
  });
});
