import { aboutScope, channelScope, messageScope, parseName, type Cell } from '@causeway/protocol';
import { SEGMENT, Segment, integrate, unionOf, type Copy } from '@causeway/replica';
import * as Y from 'yjs';
import { countedFrom, countedIn } from '../counted.ts';
import { CHANNELS, SCOPES, WORKSPACE } from './workspace.ts';
import { cellOf, type Ledger, type Sent } from './ledger.ts';
import { KEPT_EDITS } from './witness.ts';
import type { Region, World } from './world.ts';

/** A region as its database says, without any process: what is durable. */
export type Durable = {
  region: Region;
  documents: Map<string, { doc: Y.Doc; bytes: Buffer }>;
  cells: Cell[];
};

/** Replays everything that a region holds. Encodings of one state may differ; those of re-encodings do not. */
export async function durableOf(
  region: Region,
  names: readonly string[],
  scopes: readonly string[],
): Promise<Durable> {
  const { store } = region.database;
  const documents: Durable['documents'] = new Map();
  for (const name of names) {
    const doc = replay(await store.loadDocument(name));
    const again = replay([Y.encodeStateAsUpdate(doc)]);
    documents.set(name, { doc, bytes: Buffer.from(Y.encodeStateAsUpdate(again)) });
  }
  return { region, documents, cells: await store.loadCells(scopes) };
}

/** What differs between two regions, or undefined. */
export function difference(one: Durable, other: Durable): string | undefined {
  for (const [name, { bytes }] of one.documents)
    if (!bytes.equals(other.documents.get(name)!.bytes)) return name;
  const cells = new Map(other.cells.map((cell) => [`${cell.scope} ${cell.key}`, JSON.stringify(cell)]));
  const different = one.cells.find((cell) => cells.get(`${cell.scope} ${cell.key}`) !== JSON.stringify(cell));
  if (different !== undefined) return `${different.scope} ${different.key}`;
  return one.cells.length === other.cells.length ? undefined : 'cells';
}

/** Everything that must hold when a world has come to rest. Returns the first thing that does not. */
export async function brokenRule(
  world: World,
  ledger: Ledger,
  states: readonly Durable[],
): Promise<string | undefined> {
  const content = contentOf(states[0]!);
  return (
    wrongContent(ledger, content) ??
    lost(ledger, content, states[0]!) ??
    unsent(ledger, content, states[0]!) ??
    unread(world) ??
    (await wrongTables(world, content)) ??
    (await wrongMemory(world, states)) ??
    (await wrongHistory(world, content, states[0]!)) ??
    (await wrongCounts(states))
  );
}

/** The copies of all messages by channel and id, and in which segment each one is. */
type Content = Map<string, { channel: string; copies: (Copy & { segment: number })[] }>;

function replay(rows: readonly Uint8Array[]): Y.Doc {
  const doc = new Y.Doc();
  doc.transact(() => {
    // Yjs alone strands complete structs in rare orders, see integrate.ts.
    for (const row of rows) integrate(doc, row, 'check');
  });
  return doc;
}

function contentOf({ documents }: Durable): Content {
  const content: Content = new Map();
  for (const [name, { doc }] of documents) {
    const [, kind, channel, number] = name.split('/');
    if (kind !== 'segment') continue;
    const segment = new Segment(doc);
    for (const id of new Set([...segment.ids(), ...segment.deletedIds()])) {
      const message = content.get(id) ?? { channel: channel!, copies: [] };
      message.copies.push({ ...segment.copy(id), segment: Number(number) });
      content.set(id, message);
    }
  }
  return content;
}

/** Is everything that is there what somebody sent? */
function wrongContent({ sent }: Ledger, content: Content): string | undefined {
  for (const [id, { copies }] of content) {
    const post = sent.get(id)?.command;
    if (post?.kind !== 'post') return `R4 a message ${id} that nobody sent`;
    const removed = [...sent.values()].some(
      ({ command }) => command.kind === 'delete' && command.message === id,
    );
    for (const { posts, edits, deleted } of copies) {
      if (deleted && !removed) return `R3 ${id} is deleted, and nobody asked for it`;
      if (deleted && posts.length + edits.length > 0) return `R13 text beside the deletion of ${id}`;
      const wrong = posts.find(({ value }) => value.b !== post.body || value.a !== post.member);
      if (wrong !== undefined) return `R4 ${id} holds what was not posted: ${JSON.stringify(wrong)}`;
      for (const { command, value } of edits) {
        const edit = sent.get(command)?.command;
        if (edit?.kind !== 'edit' || edit.message !== id || edit.body !== value.b)
          return `R4 ${id} holds an edit that nobody sent: ${command}`;
        if (edit.v !== value.v)
          return `R4 the edit ${command} was sent at ${edit.v} and stands at ${value.v}`;
      }
    }
    const edits = copies.map((copy) => unionOf([copy], Number.MAX_SAFE_INTEGER)?.editedAt ?? 0);
    const shown = copies.filter(({ posts }) => posts.length > 0);
    if (new Set(copies.map(({ deleted }) => deleted)).size > 1) return `R1 one copy of ${id} is not deleted`;
    if (shown.length > 1 && new Set(edits.filter((_, at) => copies[at]!.posts.length > 0)).size > 1)
      return `R1 the copies of ${id} show different edits`;
  }
  return undefined;
}

/** What was acknowledged and is not there. */
function lost(ledger: Ledger, content: Content, { documents, cells }: Durable): string | undefined {
  const held = new Map(cells.map((cell) => [`${cell.scope} ${cell.key}`, cell]));
  for (const sent of ledger.acked()) {
    if (sent.excused) continue;
    const missing = isMissing(sent, content, held);
    const levels = [...new Set(sent.acks.map(({ region, level }) => `${level} by ${region}`))].join(', ');
    if (missing) return `R3 ${sent.command.kind} ${sent.id} is lost, acknowledged at level ${levels}`;
  }
  const orders = new Map([...ledger.sent.values()].map((sent) => [cellOf(sent)?.v, sent]));
  for (const { scope, key, v, value } of cells)
    if (v.includes('.') && !isNote(key, value) && cellOf(orders.get(v) ?? NOTHING)?.key !== key)
      return `R4 the cell ${key} of ${scope} stands at ${v}, which nobody sent`;
  for (const { document, client, clock, region, excused } of ledger.typed)
    if (!excused && Y.getState(documents.get(document)!.doc.store, client) < clock)
      return `R3 ${client}:${clock} of ${document} is lost, acknowledged by ${region}`;
  return undefined;
}

/** What the scheduler writes when a post was sent, or could not be. */
const isNote = (key: string, value: unknown): boolean =>
  key.startsWith('scheduled|') &&
  typeof value === 'object' &&
  value !== null &&
  ('sent' in value || 'failed' in value);

/** A post that waits for its time and that nobody cancels is a message when that has passed. */
function unsent({ sent }: Ledger, content: Content, { cells }: Durable): string | undefined {
  for (const { scope, key, value } of cells) {
    if (!key.startsWith('scheduled|') || value === null) continue;
    if (!isNote(key, value)) return `R3 ${key} of ${scope} is due and waits`;
    const id = key.slice('scheduled|'.length);
    if ('failed' in (value as object)) return `R3 ${key} of ${scope} failed: ${JSON.stringify(value)}`;
    if (!content.has(id) && sent.has(id))
      return `R3 the scheduled post ${id} is noted as sent, and is nowhere`;
  }
  return undefined;
}

const NOTHING = { id: '', command: { kind: 'delete' } } as Sent;

function isMissing(sent: Sent, content: Content, cells: ReadonlyMap<string, Cell>): boolean {
  const { id, command } = sent;
  const copies = content.get('message' in command ? command.message : id)?.copies ?? [];
  switch (command.kind) {
    case 'post':
      return !copies.some(({ posts, deleted }) => deleted || posts.length > 0);
    case 'edit':
      return !copies.some(
        ({ edits, deleted }) =>
          deleted ||
          edits.some((edit) => edit.command === id) ||
          // Pruned, once so many newer ones stand there.
          edits.filter(({ value }) => value.v >= command.v).length >= KEPT_EDITS,
      );
    case 'delete':
      return !copies.some(({ deleted }) => deleted);
    case 'read':
      return false;
    default: {
      const { scope, key, v } = cellOf(sent)!;
      return (cells.get(`${scope} ${key}`)?.v ?? '') < v;
    }
  }
}

/** Every message that is still in a stream must have been handed to every other region once. */
function unread(world: World): string | undefined {
  for (const { name } of world.regions)
    for (const { id, sequence, at } of world.network.broker(name).stream.read(1, 100_000))
      for (const other of world.regions)
        // The newest are on their way.
        if (
          other.name !== name &&
          !other.database.read.has(id) &&
          !isHeartbeat(id) &&
          at < world.time.now() - 3_000
        )
          return `R15 ${other.name} never read ${sequence} of ${name}'s stream, and did not notice`;
  return undefined;
}

/**
 * A stream that went back may get the cursor's own message again at its own place, behind a heartbeat that takes the
 * place of an older one: nobody can notice, and nothing is in it.
 */
const isHeartbeat = (id: string): boolean => /\.h\d+$/.test(id);

/** The tables beside the log: copies, and how much this region put into each segment. */
async function wrongTables(world: World, content: Content): Promise<string | undefined> {
  for (const { name, database, size } of world.regions) {
    const { store } = database;
    const places = [...content].map(([id, { channel }]) => ({
      channel: channelScope(WORKSPACE, channel),
      id,
    }));
    const table = Map.groupBy(await store.copies(places), ({ id }) => id);
    for (const [id, { copies }] of content)
      for (const { segment, posts, deleted } of copies) {
        const row = table.get(id)?.find((row) => row.segment === segment);
        if ((posts.length > 0 || deleted) && row === undefined)
          return `R9 ${name} does not know that ${id} is in segment ${segment}`;
        if (deleted && row?.deleted !== true)
          return `R9 ${name} does not know that ${id} is deleted in segment ${segment}`;
      }
    const share = Math.floor(SEGMENT.posts / world.regions.length);
    for (const channel of CHANNELS)
      for (const { segment, posts } of await store.segments(channelScope(WORKSPACE, channel)))
        if (posts > share * size + database.landedUnheard)
          return `R10 ${name} put ${posts} posts into ${channel}/${segment}, its share is ${share}`;
  }
  return undefined;
}

/** What processes hold in memory must be what is durable. */
async function wrongMemory(world: World, states: readonly Durable[]): Promise<string | undefined> {
  for (const { region, documents, cells } of states)
    for (const { number, replica } of region.processes) {
      const who = `${region.name}#${number}`;
      for (const name of replica.documents.names()) {
        const held = documents.get(name);
        const live = await replica.documents.open(name);
        if (held === undefined) {
          if (live.doc.store.clients.size > 0) return `R1 ${who} holds ${name}, which nobody wrote`;
        } else if (!Y.equalSnapshots(Y.snapshot(live.doc), Y.snapshot(held.doc)))
          return `R1 ${who} holds another ${name} than its log`;
      }
      for (const scope of replica.cells.scopes()) {
        const held = await replica.cells.open(scope);
        const stored = cells.filter((cell) => cell.scope === scope);
        const wrong = stored.find(({ key, v }) => held.get(key)?.v !== v);
        if (wrong !== undefined || held.size !== stored.length)
          return `R1 ${who} holds other cells of ${scope} than its store: ${wrong?.key ?? 'more'}`;
      }
    }
  return undefined;
}

/** What every process shows must be what the documents and cells say. */
async function wrongHistory(world: World, content: Content, { cells }: Durable): Promise<string | undefined> {
  const reactions = Map.groupBy(
    cells.filter(({ value }) => value === true),
    ({ scope }) => scope,
  );
  for (const channel of CHANNELS) {
    const expected = [...content]
      .filter(([, message]) => message.channel === channel)
      .map(([id, { copies }]) => ({ id, message: unionOf(copies, Number.MAX_SAFE_INTEGER) }))
      .filter(({ message }) => message !== undefined)
      .map(({ id, message }) => {
        const held = reactions.get(messageScope(WORKSPACE, channel, id)) ?? [];
        return textOf(
          message!,
          held.map(({ key }) => key),
        );
      })
      .sort();
    for (const { region, number, replica } of world.processes()) {
      const { items } = await replica.messages(WORKSPACE, channel, undefined, 10_000);
      const shown = items
        .map((message) => {
          const held = Object.entries(message.reactions ?? {});
          return textOf(
            message,
            held.flatMap(([emoji, members]) => members.map((member) => `${emoji}|${member}`)),
          );
        })
        .sort();
      const wrong = shown.find((text, at) => text !== expected[at]);
      if (wrong !== undefined || shown.length !== expected.length)
        return `R9 ${region}#${number} shows ${shown.length} of ${expected.length} messages of ${channel}, ${wrong}`;
    }
  }
  return undefined;
}

/** Threads, mentions and places of copies in every region's view must be those of its documents. */
async function wrongCounts(states: readonly Durable[]): Promise<string | undefined> {
  for (const state of states)
    for (const channel of CHANNELS) {
      const { store } = state.region.database;
      const scope = channelScope(WORKSPACE, channel);
      const messages = [...contentOf(state).values()]
        .filter((message) => message.channel === channel)
        .flatMap(({ copies }) => unionOf(copies, Number.MAX_SAFE_INTEGER) ?? []);
      const segments = new Map(
        [...state.documents]
          .map(([name, { doc }]) => [parseName(name), doc] as const)
          .flatMap(([name, doc]) =>
            name?.kind === 'segment' && name.channel === channel ? [[name.segment, doc] as const] : [],
          ),
      );
      const expected = JSON.stringify(countedFrom(segments, messages));
      const counted = JSON.stringify(await countedIn(store, scope, messages));
      if (counted !== expected)
        return `R9 ${state.region.name} counts ${counted} in ${channel}, not ${expected}`;
    }
  return undefined;
}

const textOf = (
  {
    id,
    body,
    t,
    author,
    editedAt,
  }: { id: string; body: string; t: string; author: string; editedAt?: number },
  reactions: readonly string[],
): string => JSON.stringify([id, author, body, t, editedAt ?? 0, [...reactions].sort()]);

/** All scopes that a world may hold. */
export const scopesOf = ({ posts, sent }: Ledger): string[] => [
  ...SCOPES,
  ...new Set(
    [...sent.values()].flatMap(({ command }) =>
      'canvas' in command ? [aboutScope(WORKSPACE, command.canvas)] : [],
    ),
  ),
  ...posts.map(({ id, command }) =>
    messageScope(WORKSPACE, command.kind === 'post' ? command.channel : '', id),
  ),
];
