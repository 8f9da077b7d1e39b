import { decodeEntry, segmentName } from '@causeway/protocol';
import { Segment, unionOf } from '@causeway/replica';
import { afterEach, expect, it } from 'vitest';
import * as Y from 'yjs';
import { CHANNEL, WORKSPACE, World, idOf } from './world.ts';

const SEGMENT = segmentName(WORKSPACE, CHANNEL, 1);
const HOUR = 3_600_000;

let world: World;
afterEach(() => world.close());

const segmentIn = async (region: string): Promise<Segment> => {
  const doc = new Y.Doc();
  for (const row of await world.region(region).store.loadDocument(SEGMENT)) Y.applyUpdate(doc, row);
  return new Segment(doc);
};
const editsIn = async (region: string, id: string): Promise<number> =>
  (await segmentIn(region)).copy(id).edits.length;

/** What a region shows of a message after each of these updates. */
function shownAfterEach(updates: readonly Uint8Array[], id: string): (string | undefined)[] {
  const doc = new Y.Doc();
  const segment = new Segment(doc);
  return updates.map((bytes) => {
    Y.applyUpdate(doc, bytes);
    return unionOf([segment.copy(id)], Number.MAX_SAFE_INTEGER)?.body;
  });
}

/** The updates of the segment that a region has published, as a peer reads them. */
const streamOf = (region: string): Uint8Array[] =>
  world.network
    .broker(region)
    .stream.read(1, 10_000)
    .flatMap(({ bytes }) => {
      const decoded = decodeEntry(bytes);
      return decoded.ok && decoded.entry.kind === 'update' && decoded.entry.name === SEGMENT
        ? [decoded.entry.bytes]
        : [];
    });

it('R1 R4 a prune never overtakes what dominates: who hears its region alone never sees an older text', async () => {
  world = new World({ regions: ['us', 'eu'] });
  const post = world.post('original');
  const id = idOf(post);
  await world.at('us').execute(post);
  await world.at('us').execute(world.edit(id, 'edit 1', world.v()));
  await world.until(async () => (await editsIn('eu', id)) === 1, 'heard in eu');
  for (let n = 2; n <= 60; n++) await world.at('eu').execute(world.edit(id, `edit ${n}`, world.v(n)));
  await world.until(async () => (await editsIn('us', id)) === 60, 'heard in us');
  // From now on only us works, so it is us that prunes.
  world.region('eu').processes[0]!.crash();
  const told: Uint8Array[] = [];
  await world.at('us').join(SEGMENT, { update: (bytes) => void told.push(bytes), dropped: () => undefined });
  const before = streamOf('us').length;
  await world.time.sleep(HOUR - 60_000);
  expect(await editsIn('us', id)).toBe(60);
  await world.time.sleep(120_000);
  expect(await editsIn('us', id)).toBe(50);
  await world.until(() => streamOf('us').length > before, 'published');
  // A third region, cut off from eu: it has the post and edit 1 from us, and nothing of edits 2 to 60.
  const heard = streamOf('us');
  expect(heard).toHaveLength(before + 1);
  expect(shownAfterEach(heard, id)).toEqual(['original', 'edit 1', 'edit 60']);
  // What was told here, to readers who have all edits, would have shown it the original again.
  expect(told).toHaveLength(1);
  expect(shownAfterEach([...heard.slice(0, -1), ...told], id)).toEqual(['original', 'edit 1', 'original']);
  // The index counts what the prune did, not what it carries along.
  const [counts] = await world.region('us').store.segments(`${WORKSPACE}/channel/${CHANNEL}`);
  expect(counts).toMatchObject({ posts: 1, operations: 2 });
});

it('R1 three regions under asymmetric cuts prune the same message, and agree', async () => {
  world = new World({ regions: ['us', 'eu', 'ap'] });
  const post = world.post('original');
  const id = idOf(post);
  world.network.cut('us', 'eu');
  world.network.cut('eu', 'us');
  // The same command through two regions that do not hear each other: two copies.
  await world.at('us').execute(post);
  await world.at('eu').execute(post);
  await world.until(async () => (await segmentIn('ap')).copy(id).posts.length === 2, 'two copies');
  world.heal();
  await world.until(async () => (await segmentIn('us')).copy(id).posts.length === 2, 'two copies in us');
  await world.until(async () => (await segmentIn('eu')).copy(id).posts.length === 2, 'two copies in eu');
  world.network.cut('eu', 'ap');
  world.network.cut('ap', 'us');
  for (let n = 1; n <= 30; n++)
    for (const region of ['us', 'eu'])
      await world.at(region).execute(world.edit(id, `${region} ${n}`, world.v(n)));
  const texts: (string | undefined)[] = [];
  for (let minutes = 0; minutes < 75; minutes++) {
    await world.time.sleep(60_000);
    texts.push((await world.messages('ap'))[0]?.body);
  }
  world.heal();
  for (const region of ['us', 'eu', 'ap'])
    await world.until(async () => (await editsIn(region, id)) === 50, `pruned in ${region}`);
  for (const region of ['us', 'eu', 'ap']) {
    const copy = (await segmentIn(region)).copy(id);
    expect(copy.posts, region).toHaveLength(1);
    expect((await world.messages(region))[0]?.body, region).toMatch(/^(us|eu) 30$/);
  }
  // Never back to the original once an edit was seen.
  const first = texts.findIndex((body) => body !== 'original');
  expect(texts.slice(first)).not.toContain('original');
}, 60_000);
