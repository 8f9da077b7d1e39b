import { channelScope, segmentName, type Command } from '@causeway/protocol';
import { existsSync, readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import * as Y from 'yjs';
import { LOGS, memberOf } from '../regions/chat-log.ts';
import { CHANNEL, WORKSPACE, World, idOf, type Region } from './world.ts';

/** Of eight: each lasts a second or two. */
const NAMES = ['2004-11-15_03', '2005-06-27_12', '2016-12-19_20'];
const SCOPE = channelScope(WORKSPACE, CHANNEL);
const REGIONS = ['us', 'eu'];

type Line = { line: number; speaker: string; body: string; to: string | undefined };
type Said = Line & { id: string; root: string | undefined };

let world: World;
afterEach(() => world.close());

/** Who is spoken to (`nick: …`) is mentioned. */
function spoken(log: string): Line[] {
  const found = readFileSync(`${LOGS}/${log}.raw.txt`, 'utf8')
    .split('\n')
    .map((text, line) => ({ line, match: /^\[\d\d:\d\d\] <([^>]+)> (.+)$/.exec(text) }))
    .flatMap(({ line, match }) =>
      match === null ? [] : [{ line, speaker: memberOf(match[1]!), text: match[2]! }],
    );
  const speakers = new Set(found.map(({ speaker }) => speaker));
  return found.map(({ line, speaker, text }) => {
    const colon = text.indexOf(': ');
    const to = colon < 0 ? undefined : memberOf(text.slice(0, colon));
    return to !== undefined && speakers.has(to)
      ? { line, speaker, to, body: `@${to}${text.slice(colon)}` }
      : { line, speaker, to: undefined, body: text };
  });
}

/** `a b -`: one of the two lines answers the other, which was said before. */
function answers(log: string, said: ReadonlySet<number>): Map<number, number> {
  const pairs = new Map<number, number>();
  for (const [, a, b] of readFileSync(`${LOGS}/${log}.annotation.txt`, 'utf8').matchAll(/^(\d+) (\d+)/gm)) {
    const [earlier, later] = [Math.min(Number(a), Number(b)), Math.max(Number(a), Number(b))];
    if (earlier !== later && said.has(earlier) && said.has(later)) pairs.set(later, earlier);
  }
  return pairs;
}

/** What a region shows of the channel, and the state vectors with which it does. */
async function screen({ name, store }: Region) {
  const markers: { segment: number; client: number; clock: number }[] = [];
  const ids = new Set<string>();
  for (const { segment } of await store.segments(SCOPE)) {
    const { doc } = await world.at(name).documents.open(segmentName(WORKSPACE, CHANNEL, segment));
    for (const [client, clock] of Y.decodeStateVector(Y.encodeStateVector(doc)))
      markers.push({ segment, client, clock });
    for (const key of doc.getMap('m').keys()) ids.add(key.split('|')[0]!);
  }
  return { markers, ids };
}

describe.skipIf(!existsSync(LOGS))('a real chat log (skipped where the logs are absent)', () => {
  it.each(NAMES)(
    'R9 the replies of %s are those of its annotation, its unread counts those of a recount (PAINS 23)',
    async (log) => {
      world = new World({ regions: REGIONS, seed: 23 });
      const lines = spoken(log);
      const answered = answers(log, new Set(lines.map(({ line }) => line)));
      const said = new Map<number, Said>();
      const seen = new Map<string, Set<string>>();
      const regionOf = (speaker: string): Region =>
        world.regions[[...seen.keys()].indexOf(speaker) % REGIONS.length]!;

      for (const [at, line] of lines.entries()) {
        const parent = said.get(answered.get(line.line) ?? -1);
        const root = parent?.root ?? parent?.id;
        const command = world.post(line.body, {
          member: line.speaker,
          ...(root === undefined ? {} : { thread: root }),
        });
        said.set(line.line, { ...line, id: idOf(command), root });
        if (!seen.has(line.speaker)) seen.set(line.speaker, new Set());
        const region = regionOf(line.speaker);
        await world.at(region.name).execute(command);
        if (at % 200 === 50) world.cut('us');
        if (at % 200 === 120) world.heal();
        await world.time.sleep(20);
        if (!world.random.chance(15)) continue;
        const { markers, ids } = await screen(region);
        const nonce = world.nonce();
        const read: Command = {
          kind: 'read',
          workspace: WORKSPACE,
          channel: CHANNEL,
          member: line.speaker,
          nonce,
          markers,
        };
        await world.at(region.name).execute(read);
        seen.set(line.speaker, seen.get(line.speaker)!.union(ids));
      }
      world.heal();
      await world.time.sleep(60_000);

      const all = [...said.values()];
      const threads = Map.groupBy(
        all.filter(({ root }) => root !== undefined),
        ({ root }) => root!,
      );
      expect(threads.size).toBeGreaterThan(10);
      for (const region of world.regions) {
        const { history } = world.at(region.name);
        for (const [root, replies] of threads) {
          const page = await history.thread(WORKSPACE, CHANNEL, root, undefined, 200);
          expect(page!.items.map(({ id }) => id).toSorted()).toEqual(replies.map(({ id }) => id).toSorted());
          expect(page!.root!.replies).toMatchObject({ count: replies.length });
          expect(page!.root!.replies!.participants.toSorted()).toEqual(
            [...new Set(replies.map(({ speaker }) => speaker))].toSorted(),
          );
        }
        const open = await openMessages(region);
        for (const [member, screened] of seen) {
          const unread = all.filter(
            ({ id, root, speaker }) =>
              root === undefined && speaker !== member && open.has(id) && !screened.has(id),
          );
          const [badge] = await world.at(region.name).badges(WORKSPACE, member, [CHANNEL]);
          expect({ member, ...badge }).toMatchObject({
            member,
            unread: unread.length,
            mentions: unread.filter(({ to }) => to === member).length,
          });
        }
      }
    },
    120_000,
  );
});

/** Messages of segments that some region may still post into. */
async function openMessages({ store }: Region): Promise<Set<string>> {
  const tops = (await store.loadCells([SCOPE])).filter(({ key }) => key.startsWith('top|'));
  expect(tops).toHaveLength(REGIONS.length);
  const lowest = Math.min(...tops.map(({ value }) => value as number));
  expect(lowest).toBeGreaterThan(1);
  const open = new Set<string>();
  for (const { segment } of await store.segments(SCOPE)) {
    if (segment < lowest) continue;
    const doc = new Y.Doc();
    for (const update of await store.loadDocument(segmentName(WORKSPACE, CHANNEL, segment)))
      Y.applyUpdate(doc, update);
    for (const key of doc.getMap('m').keys()) open.add(key.split('|')[0]!);
  }
  return open;
}
