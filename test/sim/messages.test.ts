/* What happens to messages and cells when two regions act at once: one list, command by command. */
import {
  LIMITS,
  canvasesScope,
  channelScope,
  commandId,
  memberScope,
  segmentName,
  type Command,
} from '@causeway/protocol';
import { Segment, hybridFromText, topKey } from '@causeway/replica';
import { afterEach, describe, expect, it } from 'vitest';
import * as Y from 'yjs';
import { CHANNEL, WORKSPACE, World, idOf, outcomeOf } from './world.ts';

const OK = expect.objectContaining({ level: 'region' });

let world: World;
const open = (regions = ['us', 'eu'], processes = 1): World => (world = new World({ regions, processes }));
afterEach(() => world.close());

/** Waits until every region shows these bodies. */
async function everywhere(bodies: readonly string[]): Promise<void> {
  for (const { name } of world.regions)
    await world.until(
      async () => (await world.bodies(name)).join() === bodies.join(),
      `${bodies.join()} in ${name}`,
    );
}

/** What a region's log says of a message, segment by segment. */
async function copiesIn(region: string, id: string) {
  const { store } = world.region(region);
  const rows = await store.segments(channelScope(WORKSPACE, CHANNEL));
  return Promise.all(
    rows.map(async ({ segment }) => {
      const doc = new Y.Doc();
      for (const update of await store.loadDocument(segmentName(WORKSPACE, CHANNEL, segment)))
        Y.applyUpdate(doc, update);
      return { segment, ...new Segment(doc).copy(id) };
    }),
  );
}

/** Fills a region's share of the first segment, so that its next post goes into another one. */
async function leaveSegment(region: string): Promise<void> {
  const fillers = Array.from({ length: 260 }, (_, n) => world.post(`filler ${n}`, { member: 'filler' }));
  await Promise.all(fillers.map((filler) => world.at(region).execute(filler)));
}

/** One message with a copy in segment 1 (from us) and one in a later segment (from eu). */
async function twoCopies() {
  open();
  const post = world.post('text');
  world.cut('us', 'eu');
  await world.at('us').execute(post);
  await leaveSegment('eu');
  await world.at('eu').execute(post);
  return { post, id: idOf(post) };
}

const shown = async (region: string, id: string) =>
  (await world.messages(region)).find((message) => message.id === id);

describe('one command', () => {
  it('R4 through two regions at once is one message', async () => {
    open();
    const post = world.post('once');
    const acks = await Promise.all(['us', 'eu'].map((region) => world.at(region).execute(post)));
    expect(acks.map(({ id }) => id)).toEqual([idOf(post), idOf(post)]);
    const views = () => Promise.all(['us', 'eu'].map((region) => world.messages(region)));
    await world.until(
      async () => new Set((await views()).map((view) => JSON.stringify(view))).size === 1,
      'equal',
    );
    await everywhere(['once']);
  });

  it('R4 by two processes of one region is one message, and both show it', async () => {
    open(['us', 'eu'], 2);
    const post = world.post('once');
    const [first, second] = world.region('us').processes;
    await Promise.all([first!.replica.execute(post), second!.replica.execute(post)]);
    await first!.replica.execute(post);
    await everywhere(['once']);
    for (const { replica } of [first!, second!])
      await world.until(async () => (await world.bodies('us', replica)).join() === 'once', 'shown');
  });

  it('R4 R15 what one process of a region committed, the other one shows, edits and deletes', async () => {
    open(['us', 'eu'], 2);
    const [first, second] = world.region('us').processes;
    await second!.replica.execute(world.post('warm'));
    await world.until(async () => (await world.bodies('us', first!.replica)).length === 1, 'warm');
    const post = world.post('text');
    await first!.replica.execute(post);
    await world.until(async () => (await world.bodies('us', second!.replica)).length === 2, 'shown');
    expect(await outcomeOf(second!.replica.execute(world.edit(idOf(post), 'edited', world.v())))).toEqual(OK);
    await world.until(async () => (await world.bodies('us', first!.replica))[1] === 'edited', 'edited');
    expect(await outcomeOf(first!.replica.execute(world.remove(idOf(post))))).toEqual(OK);
    await everywhere(['warm']);
  });

  it('R4 a retry after a delete stays deleted, in whatever segment it landed', async () => {
    const { id } = await twoCopies();
    await world.at('us').execute(world.remove(id));
    world.heal();
    for (const region of ['us', 'eu'])
      await world.until(async () => {
        const copies = (await copiesIn(region, id)).filter(
          ({ deleted, posts }) => deleted || posts.length > 0,
        );
        return copies.length === 2 && copies.every(({ deleted, posts }) => deleted && posts.length === 0);
      }, `both copies deleted in ${region}`);
    expect([await shown('us', id), await shown('eu', id)]).toEqual([undefined, undefined]);
  });

  it('R4 a retry that arrives after its deletion has gone everywhere brings nothing back', async () => {
    open(['us', 'eu', 'ap']);
    const post = world.post('text');
    await world.at('us').execute(post);
    await everywhere(['text']);
    world.cut('ap');
    await world.at('us').execute(world.remove(idOf(post)));
    // ap has not heard of the deletion and takes the retry for a repeat.
    expect(await outcomeOf(world.at('ap').execute(post))).toEqual(OK);
    expect(await outcomeOf(world.at('eu').execute(post))).toEqual(OK);
    world.heal();
    await everywhere([]);
    expect(await outcomeOf(world.at('ap').execute(post))).toEqual(OK);
    await everywhere([]);
  });

  it('R4 the deletion that arrives before the message still wins', async () => {
    open(['us', 'eu', 'ap']);
    const post = world.post('text');
    world.cut('us', 'ap');
    await world.at('us').execute(post);
    await world.until(async () => (await world.bodies('eu')).length === 1, 'in eu');
    await world.at('eu').execute(world.remove(idOf(post)));
    await world.until(
      async () => (await copiesIn('ap', idOf(post))).some(({ deleted }) => deleted),
      'deletion in ap',
    );
    world.heal();
    await everywhere([]);
    await world.until(async () => (await world.region('ap').store.untidy(1)).length === 0, 'tidy');
    expect((await copiesIn('ap', idOf(post))).flatMap(({ posts }) => posts)).toEqual([]);
  });

  it('R12 cannot put other words, or another author, under an id', async () => {
    open();
    const post = world.post('the truth');
    const id = commandId(post);
    for (const change of [{ body: 'a lie' }, { member: 'eve' }, { workspace: 'other' }, { thread: id }])
      expect(commandId({ ...post, ...change })).not.toBe(id);
    world.cut('us', 'eu');
    await world.at('us').execute(post);
    await world.at('eu').execute({ ...post, body: 'a lie' });
    world.heal();
    await world.until(async () => (await world.messages('us')).length === 2, 'two messages');
    expect((await shown('us', id))?.body).toBe('the truth');
  });
});

describe('an edit', () => {
  it('R4 the larger v wins in every region, the losing text is in the history', async () => {
    open(['us', 'eu', 'ap']);
    const post = world.post('original');
    await world.at('us').execute(post);
    await everywhere(['original']);
    for (const [one, other] of [
      ['us', 'eu'],
      ['us', 'ap'],
      ['eu', 'ap'],
    ] as const)
      world.cut(one, other);
    const v = world.v();
    for (const [at, region] of ['us', 'eu', 'ap'].entries())
      await world.at(region).execute(world.edit(idOf(post), `by ${region}`, v + [20, 30, 10][at]!));
    world.heal();
    await everywhere(['by eu']);
    for (const region of ['us', 'eu', 'ap'])
      expect((await shown(region, idOf(post)))?.history?.map(({ body }) => body)).toEqual([
        'original',
        'by ap',
        'by us',
      ]);
  });

  it('R4 a delayed copy never beats a newer one, and a repeat changes nothing', async () => {
    open();
    const post = world.post('original');
    await world.at('us').execute(post);
    const [older, newer] = [
      world.edit(idOf(post), 'older', world.v(1)),
      world.edit(idOf(post), 'newer', world.v(2)),
    ];
    await world.at('us').execute(newer);
    await everywhere(['newer']);
    await world.at('eu').execute(older);
    await world.at('us').execute(older);
    await world.at('eu').execute(newer);
    await world.until(async () => (await shown('us', idOf(post)))?.history?.length === 2, 'both');
    await everywhere(['newer']);
  });

  it('R4 goes into every segment that holds the message, later ones included', async () => {
    const { id } = await twoCopies();
    const edit = world.edit(id, 'edited', world.v());
    await world.at('us').execute(edit);
    world.heal();
    for (const region of ['us', 'eu'])
      await world.until(async () => {
        const held = (await copiesIn(region, id)).filter(({ posts }) => posts.length > 0);
        return (
          held.length === 2 && held.every(({ edits }) => edits.some(({ value }) => value.b === 'edited'))
        );
      }, `edited in both copies in ${region}`);
    expect((await shown('eu', id))?.body).toBe('edited');
    const again = await world.at('eu').execute(world.edit(id, 'again', world.v(1_000)));
    expect(again.token).toHaveLength(2);
  });

  it('R4 against a delete loses, whichever comes first', async () => {
    for (const first of ['edit', 'delete'] as const) {
      open();
      const post = world.post('text');
      await world.at('us').execute(post);
      await everywhere(['text']);
      world.cut('us', 'eu');
      const edit = world.edit(idOf(post), 'edited', world.v());
      const removal = world.remove(idOf(post));
      const [early, late]: Command[] = first === 'edit' ? [edit, removal] : [removal, edit];
      await world.at('us').execute(early!);
      await world.time.sleep(5_000);
      await world.at('eu').execute(late!);
      world.heal();
      await everywhere([]);
      for (const region of ['us', 'eu']) {
        await world.until(async () => (await world.region(region).store.untidy(1)).length === 0, 'tidy');
        const text = JSON.stringify(await copiesIn(region, idOf(post)));
        expect(text).not.toContain('edited');
      }
      expect(await outcomeOf(world.at('us').execute(edit))).toBe('gone');
      world.close();
    }
  });

  it('R10 number 201 is refused; a repeat of an earlier one is not', async () => {
    open(['us']);
    const post = world.post('text');
    await world.at('us').execute(post);
    const edits = Array.from({ length: LIMITS.editsPerMessage }, (_, n) =>
      world.edit(idOf(post), `${n}`, world.v() + n),
    );
    for (const edit of edits) await world.at('us').execute(edit);
    const late = world.edit(idOf(post), 'one too many', world.v(1_000));
    expect(await outcomeOf(world.at('us').execute(late))).toBe('too-many-edits');
    expect(await outcomeOf(world.at('us').execute(edits[0]!))).toEqual(OK);
    expect(await world.bodies('us')).toEqual(['199']);
  });

  it('R12 of somebody else is refused, and so is a delete', async () => {
    open();
    const post = world.post('mine');
    await world.at('us').execute(post);
    expect(await outcomeOf(world.at('us').execute(world.edit(idOf(post), 'x', world.v(), 'eve')))).toBe(
      'forbidden',
    );
    expect(await outcomeOf(world.at('us').execute(world.remove(idOf(post), 'eve')))).toBe('forbidden');
  });

  it('R4 of a message that is not here yet can be tried again', async () => {
    open();
    world.cut('us', 'eu');
    const post = world.post('text');
    await world.at('us').execute(post);
    const commands = [world.edit(idOf(post), 'x', world.v()), world.react(idOf(post), true, world.v())];
    for (const command of [...commands, world.remove(idOf(post))])
      expect(await outcomeOf(world.at('eu').execute(command))).toBe('not-here-yet');
    world.heal();
    await world.until(async () => (await world.bodies('eu')).length === 1, 'in eu');
    for (const command of commands) expect(await outcomeOf(world.at('eu').execute(command))).toEqual(OK);
  });
});

describe('a reaction', () => {
  it('R4 a delayed copy after its removal stays removed, in every region and order', async () => {
    for (const order of ['late here', 'late elsewhere'] as const) {
      open();
      const post = world.post('text');
      await world.at('us').execute(post);
      await everywhere(['text']);
      const on = world.react(idOf(post), true, world.v());
      const off = world.react(idOf(post), false, world.v() + 1);
      await world.at('us').execute(on);
      await world.at('us').execute(off);
      await world.at(order === 'late here' ? 'us' : 'eu').execute(on);
      await world.time.sleep(3_000);
      for (const region of ['us', 'eu'])
        expect((await shown(region, idOf(post)))?.reactions, `${order} ${region}`).toBeUndefined();
      world.close();
    }
  });

  it('R1 by many members in cut regions, all are there after healing', async () => {
    open(['us', 'eu', 'ap']);
    const post = world.post('text');
    await world.at('us').execute(post);
    await everywhere(['text']);
    world.cut('us', 'eu');
    world.cut('us', 'ap');
    for (const region of ['us', 'eu', 'ap'])
      await world.at(region).execute(world.react(idOf(post), true, world.v(), `from-${region}`));
    world.heal();
    for (const region of ['us', 'eu', 'ap'])
      await world.until(
        async () => (await shown(region, idOf(post)))?.reactions?.['👍']?.length === 3,
        `three in ${region}`,
      );
  });
});

describe('the clock', () => {
  it('R14 a v from the future is refused, unless it follows what is held', async () => {
    open();
    const post = world.post('text');
    await world.at('us').execute(post);
    const skew = LIMITS.clockSkewMs;
    const id = idOf(post);
    expect(await outcomeOf(world.at('us').execute(world.edit(id, 'x', world.v(2 * skew))))).toBe(
      'clock-ahead',
    );
    expect(await outcomeOf(world.at('us').execute(world.react(id, true, world.v(2 * skew))))).toBe(
      'clock-ahead',
    );
    expect(await outcomeOf(world.at('us').execute(world.edit(id, 'x', world.v(skew - 10))))).toEqual(OK);
    expect(await world.bodies('us')).toEqual(['x']);
  });

  it("R14 a peer's times from the future are applied, flagged, shown clamped, and never believed", async () => {
    open();
    const behind = world.at('eu');
    const early = world.time.now();
    // The clock of us runs a day ahead.
    const { now } = world.time;
    const ahead = 86_400_000;
    const fast = world.region('us').processes[0]!.replica.clock as unknown as { tick(): number };
    const tick = fast.tick.bind(fast);
    fast.tick = () => tick() + ahead * 1024;
    const post = world.post('from the future');
    await world.at('us').execute(post);
    await everywhere(['from the future']);
    expect(behind.clock.fromFuture).toBeGreaterThan(0);
    expect(behind.clock.tick()).toBeLessThan((early + ahead / 2) * 1024);
    const [message] = await world.messages('eu');
    expect(message!.at).toBeLessThanOrEqual(now.call(world.time));
    expect(hybridFromText(message!.t)).toBeGreaterThan((early + ahead) * 1024 - 1);
    const ack = await world.at('eu').execute(world.post('after'));
    expect(ack.clock).toBeLessThan((early + ahead / 2) * 1024);
  });
});

const markers = async (region: string): Promise<Record<string, number>> => {
  const cells = await world.region(region).store.loadCells([memberScope(WORKSPACE, 'ada')]);
  return Object.fromEntries(cells.map(({ key, v }) => [key, hybridFromText(v)]));
};
const read = (segment: number, client: number, clock: number): Command => ({
  kind: 'read',
  workspace: WORKSPACE,
  channel: CHANNEL,
  member: 'ada',
  nonce: world.nonce(),
  markers: [{ segment, client, clock }],
});

describe('read markers', () => {
  it('R4 never move back, through whatever regions and processes', async () => {
    open(['us', 'eu'], 2);
    let place = { client: 0, clock: 0 };
    for (let n = 0; n < 5; n++) {
      const { token } = await world.at('us').execute(world.post(`${n}`));
      place = token[0] as typeof place;
    }
    await everywhere(['0', '1', '2', '3', '4']);
    const key = `read|${CHANNEL}|1|${place.client}`;
    await world.at('us').execute(read(1, place.client, 5));
    await world.at('eu').execute(read(1, place.client, 3));
    const second = world.region('us').processes[1]!.replica;
    await world.until(async () => (await world.bodies('us', second)).length === 5, 'in the second process');
    await second.execute(read(1, place.client, 2));
    await world.time.sleep(3_000);
    expect([await markers('us'), await markers('eu')]).toEqual([{ [key]: 5 }, { [key]: 5 }]);
  });

  it('R10 of what is not here are refused or not kept, and load nothing', async () => {
    open();
    const { token } = await world.at('us').execute(world.post('x'));
    const { client } = token[0] as { client: number };
    const before = world.at('us').documents.size;
    for (const marker of [read(1, client, 2), read(1, 12345, 1), read(900_000_000, client, 1)])
      expect(await outcomeOf(world.at('us').execute(marker))).toBe('not-here-yet');
    expect(await outcomeOf(world.at('us').execute(read(2_000_000_000, 5, 0)))).toEqual(OK);
    expect([await markers('us'), world.at('us').documents.size]).toEqual([{}, before]);
  });
});

describe('segments', () => {
  for (const regions of [
    ['us', 'eu', 'ap'],
    ['us', 'eu', 'ap', 'sa'],
  ])
    it(`R10 with ${regions.length} regions, cuts and a busy channel none holds more than 2,000 posts, and tops rise`, async () => {
      open(regions);
      let posts = 0;
      for (let round = 0; round < 8; round++) {
        if (round % 3 === 1) world.cut(world.random.pick(regions));
        if (round % 3 === 2) world.heal();
        await Promise.all(
          regions.flatMap((region, at) =>
            Array.from({ length: at === 0 ? 250 : 60 }, () =>
              world.at(region).execute(world.post(`${posts++}`)),
            ),
          ),
        );
        await world.time.sleep(500);
      }
      world.heal();
      for (const region of regions)
        await world.until(async () => (await world.bodies(region)).length === posts, `all in ${region}`);
      const channel = channelScope(WORKSPACE, CHANNEL);
      for (const { name, store } of world.regions) {
        const segments = await store.segments(channel);
        for (const { segment } of segments) {
          const doc = new Y.Doc();
          for (const row of await store.loadDocument(segmentName(WORKSPACE, CHANNEL, segment)))
            Y.applyUpdate(doc, row);
          expect(new Segment(doc).size, `${name} segment ${segment}`).toBeLessThanOrEqual(2_000);
        }
        const highest = Math.max(...segments.map(({ segment }) => segment));
        const tops = (await store.loadCells([channel])).filter(({ key }) => key.startsWith('top|'));
        expect(Object.fromEntries(tops.map(({ key, value }) => [key, value]))).toEqual(
          Object.fromEntries(regions.map((region) => [topKey(region), highest])),
        );
      }
    });

  it('R10 a restart remembers how much of the share is used', async () => {
    open(['us', 'eu']);
    await Promise.all(Array.from({ length: 200 }, (_, n) => world.at('us').execute(world.post(`${n}`))));
    world.region('us').processes[0]!.crash();
    world.start('us');
    await Promise.all(Array.from({ length: 100 }, (_, n) => world.at('us').execute(world.post(`more ${n}`))));
    const rows = await world.region('us').store.segments(channelScope(WORKSPACE, CHANNEL));
    expect(rows.map(({ segment, posts }) => [segment, posts])).toEqual([
      [1, 250],
      [2, 50],
    ]);
  });

  it('R4 a repeat of a post in a full segment is answered, and writes nothing', async () => {
    open(['us']);
    const posts = Array.from({ length: 501 }, (_, n) => world.post(`${n}`));
    for (let at = 0; at < posts.length; at += 100)
      await Promise.all(posts.slice(at, at + 100).map((post) => world.at('us').execute(post)));
    world.region('us').processes[0]!.crash();
    world.start('us');
    const again = await Promise.all(posts.map((post) => world.at('us').execute(post)));
    expect(again).toHaveLength(501);
    expect(await world.bodies('us')).toHaveLength(501);
    expect((await copiesIn('us', idOf(posts[0]!))).flatMap(({ posts }) => posts)).toHaveLength(1);
  });

  it('R4 a retry by a process that has not heard of the first, into a full segment, ends', async () => {
    open(['us'], 2);
    const [first, second] = world.region('us').processes;
    await second!.replica.execute(world.post('warm'));
    const posts = Array.from({ length: 520 }, (_, n) => world.post(`${n}`));
    for (const post of posts) await first!.replica.execute(post);
    const others = posts.slice(0, 10);
    // Its own share is used up too, so that the segment is full for it.
    for (let n = 0; n < 520; n++) await second!.replica.execute(world.post(`other ${n}`));
    await Promise.all(others.map((post) => second!.replica.execute(post)));
    await world.until(async () => (await world.bodies('us')).length === 1_041, 'each once');
  });
});

describe('pages of history', () => {
  it('R1 walk every message once, newest first, over overlapping segments', async () => {
    open(['us', 'eu']);
    for (let round = 0; round < 4; round++) {
      if (round === 1) world.cut('us', 'eu');
      await Promise.all(
        ['us', 'eu'].flatMap((region) =>
          Array.from({ length: 150 }, (_, n) =>
            world.at(region).execute(world.post(`${round} ${region} ${n}`)),
          ),
        ),
      );
      await world.time.sleep(200);
    }
    world.heal();
    await world.until(async () => (await world.bodies('us')).length === 1_200, 'all in us');
    const walked: string[] = [];
    let before: { t: string; id: string } | undefined;
    for (;;) {
      const page = await world.at('us').messages(WORKSPACE, CHANNEL, before, 37);
      walked.push(...page.items.map(({ t, id }) => `${t}~${id}`));
      if (page.next === undefined) break;
      const [t, id] = page.next.split('~') as [string, string];
      before = { t, id };
    }
    expect(new Set(walked).size).toBe(1_200);
    expect(walked).toEqual([...walked].sort().toReversed());
  });
});

it('R4 a canvas made twice is in the list once', async () => {
  open();
  const command: Command = {
    kind: 'canvas',
    workspace: WORKSPACE,
    member: 'ada',
    nonce: world.nonce(),
    title: 'Plan',
    v: world.v(),
  };
  await Promise.all(['us', 'eu'].map((region) => world.at(region).execute(command)));
  await world.time.sleep(2_000);
  for (const { store } of world.regions)
    expect(await store.loadCells([canvasesScope(WORKSPACE)])).toMatchObject([
      { key: `canvas|${idOf(command)}`, value: { title: 'Plan', author: 'ada' } },
    ]);
});
