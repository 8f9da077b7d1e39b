import {
  aboutScope,
  canvasName,
  canvasesScope,
  channelScope,
  directChannel,
  memberScope,
  versionName,
  type Cell,
  type Command,
} from '@causeway/protocol';
import * as Y from 'yjs';
import { CHANNEL, WORKSPACE, idOf, type World } from './world.ts';

/* What happens when two people do the same thing at once: the table that features.test.ts lives through and that docs/at-once.md shows. */

/** What the columns of the page say of one feature, in words for people. */
export type Words = {
  /** Two people at once, in two regions, or while those are cut off from each other. */
  atOnce: string;
  /** A copy of an older command that comes after a newer one. */
  late: string;
  /** Instead of the usual words: sent again, or sent again because the answer never came. */
  again?: string;
  stranger?: string;
  removed?: string;
};

/** One kind of command, and what has to come of it. `make(1)` is older than `make(2)`; they compete. */
export type Feature = {
  what: string;
  kind: Command['kind'];
  words: Words;
  /** What was there before; it is in both regions when the test begins. */
  before?(world: World): Promise<Record<string, string>>;
  make(world: World, n: 1 | 2, made: Record<string, string>): Command;
  /** What a region shows. */
  state(world: World, region: string): Promise<unknown>;
  /** After the first one, and after both in whatever order. */
  one: unknown;
  both: unknown;
  /** Only the home region does it: what another one answers while it is cut off. */
  elsewhere?: string;
};

/** Stands for a text that differs from world to world. */
export const expectText = '(text)';

/** The region that is home of the workspace, and keeps the directory. */
export const HOME = 'eu';
export const OTHER = 'us';

/** Made before the world begins, so that clocks do not depend on how long something took. */
const v = (n: number): number => (1_000 + n) * 1024;
const frame = (world: World, member = 'ada') => ({ workspace: WORKSPACE, member, nonce: world.nonce() });

async function cellsIn(
  world: World,
  region: string,
  scope: string,
  prefix = '',
): Promise<Record<string, unknown>> {
  const cells: Cell[] = await world.region(region).store.loadCells([scope]);
  return Object.fromEntries(
    cells
      .filter(({ key, value }) => key.startsWith(prefix) && value !== null && value !== false)
      .map(({ key, value }) => [key.slice(prefix.length), value]),
  );
}
const channelCells = (world: World, region: string, prefix: string) =>
  cellsIn(world, region, channelScope(WORKSPACE, CHANNEL), prefix);
const ownCells = (world: World, region: string, prefix: string) =>
  cellsIn(world, region, memberScope(WORKSPACE, 'ada'), prefix);
const aboutCells = (world: World, region: string, prefix: string) =>
  cellsIn(world, region, aboutScope(WORKSPACE, canvas), prefix);

const execute = async (world: World, command: Command): Promise<string> => {
  await world.at(HOME).execute(command);
  return idOf(command);
};
const withPost = async (world: World) => ({ message: await execute(world, world.post('text')) });

/** Of the world that lives now. */
let canvas = '';
let due = 0;
async function withCanvas(world: World): Promise<Record<string, string>> {
  canvas = await execute(world, { kind: 'canvas', ...frame(world), title: 'Plan', v: v(0) });
  return { canvas };
}

/** Types into the text `t` of the canvas, as a member would. */
async function type(world: World, text: string): Promise<void> {
  const doc = new Y.Doc();
  const { store } = world.region(HOME);
  for (const row of await store.loadDocument(canvasName(WORKSPACE, canvas))) Y.applyUpdate(doc, row);
  const before = Y.encodeStateVector(doc);
  doc.getText('t').insert(doc.getText('t').length, text);
  await world.at(HOME).writeCanvas(canvasName(WORKSPACE, canvas), Y.encodeStateAsUpdate(doc, before), 'ada');
}

export async function textOf(world: World, region: string, name: string): Promise<string> {
  const doc = new Y.Doc();
  for (const row of await world.region(region).store.loadDocument(name)) Y.applyUpdate(doc, row);
  return doc.getText('t').toJSON();
}

const LATER = 'The later one counts, by the times at which they were done; after a moment everybody sees it.';
const LOSES = 'Changes nothing: the newer one stays.';

const setting = (what: string, kind: Command['kind'], words: Partial<Words> = {}) => ({
  what,
  kind,
  words: { atOnce: LATER, late: LOSES, ...words },
});

/** On by the first, off by the second. */
const switched = (kind: 'join' | 'mute' | 'star', what: string, prefix: string): Feature => ({
  ...setting(what, kind, { atOnce: 'Two devices of one member: the later one counts, on all of them.' }),
  make: (world, n) => ({ kind, ...frame(world), channel: CHANNEL, on: n === 1, v: v(n) }),
  state: (world, region) => ownCells(world, region, prefix),
  one: { [CHANNEL]: true },
  both: {},
});

export const FEATURES: readonly Feature[] = [
  {
    what: 'Post',
    kind: 'post',
    words: {
      atOnce:
        'Two messages. All regions show them in one order, which may not be that of the clocks to the millisecond.',
      late: 'Finds its message there, and changes nothing.',
    },
    make: (world, n) => world.post(`${n}`),
    state: async (world, region) => (await world.bodies(region)).sort(),
    one: ['1'],
    both: ['1', '2'],
  },
  {
    ...setting('Edit', 'edit', { atOnce: `${LATER} The other text stays in the history.` }),
    before: withPost,
    make: (world, n, { message }) => world.edit(message!, `${n}`, v(n)),
    state: async (world, region) => (await world.messages(region)).map(({ body }) => body),
    one: ['1'],
    both: ['2'],
  },
  {
    what: 'Delete',
    kind: 'delete',
    words: {
      atOnce:
        'It is gone for good, whatever else was done to it at the same time: edits and reactions go with it.',
      late: 'It is gone already.',
    },
    before: withPost,
    make: (world, _n, { message }) => world.remove(message!),
    state: (world, region) => world.bodies(region),
    one: [],
    both: [],
  },
  {
    ...setting('React, and take it back', 'react', {
      atOnce:
        'Reactions of different members stand side by side. Of one member the later word counts, emoji by emoji.',
    }),
    before: withPost,
    make: (world, n, { message }) => world.react(message!, n === 1, v(n)),
    state: async (world, region) => (await world.messages(region)).map(({ reactions }) => reactions ?? {}),
    one: [{ '👍': ['bob'] }],
    both: [{}],
  },
  {
    ...setting('Pin, and take it out', 'pin'),
    before: withPost,
    make: (world, n, { message }) => ({
      kind: 'pin',
      ...frame(world, n === 1 ? 'ada' : 'ben'),
      channel: CHANNEL,
      message: message!,
      on: n === 1,
      v: v(n),
    }),
    state: async (world, region) => Object.values(await channelCells(world, region, 'pin|')),
    one: [{ by: 'ada', t: expectText }],
    both: [],
  },
  {
    ...setting('Topic', 'topic'),
    make: (world, n) => ({ kind: 'topic', ...frame(world), channel: CHANNEL, topic: `${n}`, v: v(n) }),
    state: (world, region) => channelCells(world, region, 'topic'),
    one: { '': { text: '1', by: 'ada' } },
    both: { '': { text: '2', by: 'ada' } },
  },
  {
    ...setting('Purpose', 'purpose'),
    make: (world, n) => ({ kind: 'purpose', ...frame(world), channel: CHANNEL, purpose: `${n}`, v: v(n) }),
    state: (world, region) => channelCells(world, region, 'purpose'),
    one: { '': { text: '1', by: 'ada' } },
    both: { '': { text: '2', by: 'ada' } },
  },
  {
    what: 'Read',
    kind: 'read',
    words: {
      atOnce: 'What was read on any device is read: markers only move forward.',
      late: 'Changes nothing: the marker stands further on.',
    },
    before: async (world) => {
      const first = await world.at(HOME).execute(world.post('1'));
      await world.at(HOME).execute(world.post('2'));
      const place = first.token[0] as { client: number };
      return { client: String(place.client) };
    },
    make: (world, n, { client }) => ({
      kind: 'read',
      ...frame(world),
      channel: CHANNEL,
      markers: [{ segment: 1, client: Number(client), clock: n }],
    }),
    state: async (world, region) =>
      (await world.region(region).store.loadCells([memberScope(WORKSPACE, 'ada')])).map(({ v }) =>
        Number.parseInt(v, 36),
      ),
    one: [1],
    both: [2],
  },
  switched('join', 'Join and leave a public channel', 'joined|'),
  switched('mute', 'Mute', 'muted|'),
  switched('star', 'Star', 'starred|'),
  {
    ...setting('Follow a thread, and no longer', 'follow', {
      atOnce: 'Two devices of one member: the later one counts, on all of them.',
    }),
    before: withPost,
    make: (world, n, { message }) => ({
      kind: 'follow',
      ...frame(world),
      channel: CHANNEL,
      message: message!,
      on: n === 1,
      v: v(n),
    }),
    state: async (world, region) => Object.values(await ownCells(world, region, 'follow|')),
    one: [true],
    both: [],
  },
  {
    ...setting('Mark as unread, and no longer', 'unread', {
      atOnce: 'Two devices of one member: the later one counts, on all of them.',
    }),
    before: withPost,
    make: (world, n, { message }) => ({
      kind: 'unread',
      ...frame(world),
      channel: CHANNEL,
      ...(n === 1 ? { message: message! } : {}),
      v: v(n),
    }),
    state: async (world, region) => Object.values(await ownCells(world, region, 'unread|')),
    one: [{ message: expectText, t: expectText }],
    both: [],
  },
  {
    ...setting('Draft', 'draft', {
      atOnce: 'Two devices of one member: the text that was written later stays, the other one is lost.',
    }),
    make: (world, n) => ({ kind: 'draft', ...frame(world), channel: CHANNEL, body: `${n}`, v: v(n) }),
    state: (world, region) => ownCells(world, region, 'draft|'),
    one: { [CHANNEL]: '1' },
    both: { [CHANNEL]: '2' },
  },
  {
    ...setting('Be away, or not disturbed', 'availability', {
      atOnce: 'Two devices of one member: the later one counts, on all of them.',
    }),
    make: (world, n) => ({ kind: 'availability', ...frame(world), mode: n === 1 ? 'away' : 'dnd', v: v(n) }),
    state: (world, region) => ownCells(world, region, 'availability'),
    one: { '': { mode: 'away' } },
    both: { '': { mode: 'dnd' } },
  },
  {
    what: 'Open a direct channel',
    kind: 'direct',
    words: {
      atOnce:
        'It is one channel, whoever opens it, wherever and however often: its id is made of its members.',
      late: 'Finds it open.',
      stranger: 'Is told that there is no such channel: members alone read and write it.',
    },
    make: (world, n) => ({
      kind: 'direct',
      ...frame(world, n === 1 ? 'ada' : 'ben'),
      members: ['ben', 'ada'],
      v: v(n),
    }),
    state: async (world, region) => [
      await cellsIn(
        world,
        region,
        channelScope(WORKSPACE, directChannel(WORKSPACE, ['ada', 'ben'])),
        'members',
      ),
      Object.values(await ownCells(world, region, 'direct|')),
    ],
    one: [{ '': ['ada', 'ben'] }, [['ada', 'ben']]],
    both: [{ '': ['ada', 'ben'] }, [['ada', 'ben']]],
  },
  {
    ...setting('Schedule a message, and move it', 'schedule', {
      atOnce: 'The later time counts. Whichever regions send it when it is due, it is one message.',
      removed: 'It is not sent, and says why.',
    }),
    before: async (world) => {
      due = world.time.now() + 86_400_000;
      return { nonce: world.nonce() };
    },
    make: (world, n, { nonce }) => ({
      kind: 'schedule',
      ...frame(world),
      post: world.post('later', { nonce: nonce! }),
      at: due + n,
      v: v(n),
    }),
    state: async (world, region) =>
      Object.values(await ownCells(world, region, 'scheduled|')).map(
        (value) => (value as { at: number }).at - due,
      ),
    one: [1],
    both: [2],
  },
  {
    what: 'Cancel a scheduled message',
    kind: 'unschedule',
    words: {
      atOnce:
        'It is not sent. Where it was due at that moment it may be sent all the same: then the message is there, to be deleted.',
      late: 'It is cancelled already.',
    },
    before: async (world) => {
      const post = world.post('later');
      await execute(world, {
        kind: 'schedule',
        ...frame(world),
        post,
        at: world.time.now() + 86_400_000,
        v: v(0),
      });
      return { post: idOf(post) };
    },
    make: (world, n, { post }) => ({ kind: 'unschedule', ...frame(world), post: post!, v: v(n) }),
    state: (world, region) => ownCells(world, region, 'scheduled|'),
    one: {},
    both: {},
  },
  {
    what: 'Create a canvas',
    kind: 'canvas',
    words: { atOnce: 'Two canvases, even under one title.', late: 'Finds its canvas there.' },
    make: (world, n) => ({ kind: 'canvas', ...frame(world), title: `${n}`, v: v(n) }),
    state: async (world, region) =>
      Object.values(await cellsIn(world, region, canvasesScope(WORKSPACE), 'canvas|'))
        .map((value) => (value as { title: string }).title)
        .sort(),
    one: ['1'],
    both: ['1', '2'],
  },
  {
    ...setting('Title of a canvas', 'retitle'),
    before: withCanvas,
    make: (world, n, { canvas }) => ({
      kind: 'retitle',
      ...frame(world),
      canvas: canvas!,
      title: `${n}`,
      v: v(n),
    }),
    state: (world, region) => aboutCells(world, region, 'title'),
    one: { '': { text: '1', by: 'ada' } },
    both: { '': { text: '2', by: 'ada' } },
  },
  {
    ...setting('Share a canvas', 'share', {
      atOnce:
        'The later right counts. Who writes in a region that has not heard of it yet goes on by the old one, and what was written stays.',
    }),
    before: withCanvas,
    make: (world, n, { canvas }) => ({
      kind: 'share',
      ...frame(world),
      canvas: canvas!,
      to: 'ben',
      right: n === 1 ? 'view' : 'edit',
      v: v(n),
    }),
    state: (world, region) => aboutCells(world, region, 'right|'),
    one: { ben: 'view' },
    both: { ben: 'edit' },
  },
  {
    what: 'Keep a version of a canvas',
    kind: 'version',
    words: {
      atOnce: 'Two versions, each with what its region held at that moment.',
      late: 'Finds its version there.',
      again: 'One version. Made by two regions it holds what either of them held.',
    },
    before: async (world) => {
      const made = await withCanvas(world);
      await type(world, 'kept');
      return made;
    },
    make: (world, n, { canvas }) => ({
      kind: 'version',
      ...frame(world),
      canvas: canvas!,
      title: `${n}`,
      v: v(n),
    }),
    state: async (world, region) => {
      const versions = Object.entries(await aboutCells(world, region, 'version|'));
      return Promise.all(
        versions
          .map(([id, value]) => [(value as { title: string }).title, id] as const)
          .sort()
          .map(async ([title, id]) => [
            title,
            await textOf(world, region, versionName(WORKSPACE, canvas, id)),
          ]),
      );
    },
    one: [['1', 'kept']],
    both: [
      ['1', 'kept'],
      ['2', 'kept'],
    ],
  },
  {
    what: 'Restore a version of a canvas',
    kind: 'restore',
    words: {
      atOnce:
        'One after the other, in the home region: the text stands there once. A region that is cut off from home cannot restore.',
      late: 'Finds itself done, and changes nothing.',
    },
    before: async (world) => {
      const made = await withCanvas(world);
      await type(world, 'first');
      const version = await execute(world, {
        kind: 'version',
        ...frame(world),
        canvas: made['canvas']!,
        title: 'First',
        v: v(0),
      });
      await type(world, ', and more');
      return { ...made, version };
    },
    make: (world, n, { canvas, version }) => ({
      kind: 'restore',
      ...frame(world),
      canvas: canvas!,
      version: version!,
      v: v(n),
    }),
    state: (world, region) => textOf(world, region, canvasName(WORKSPACE, canvas)),
    one: 'first',
    both: 'first',
    elsewhere: 'no-directory',
  },
];

const AGAIN = 'Has the effect of one.';
const STRANGER = 'Refused: the token is for another workspace.';
const REMOVED = 'Refused within a second of the removal.';

/** The page of the docs. */
export function page(): string {
  const sections = FEATURES.map(({ what, kind, words }) => {
    const { atOnce, late, again = AGAIN, stranger = STRANGER, removed = REMOVED } = words;
    return [
      `## ${what} (\`${kind}\`)`,
      '',
      `- **Two people at once, in two regions, or during a cut that heals:** ${atOnce}`,
      `- **Sent again, through another region or because the answer never came:** ${again}`,
      `- **A delayed copy after a newer one:** ${late}`,
      `- **A stranger:** ${stranger}`,
      `- **A removed member:** ${removed}`,
      '',
    ].join('\n');
  });
  return [
    '# What happens when two people do this at once',
    '',
    'Every region takes what its members do by itself, also while it is cut off. This page says what comes of it when',
    'they meet, command by command. It is written by `test/sim/at-once.ts`, and `test/sim/features.test.ts` lives',
    'through every line of it; after a change there, `npx vitest run --project unit test/sim/features.test.ts -u` writes it anew.',
    '',
    ...sections,
  ].join('\n');
}
