import { channelScope, parseName, segmentName, type Name } from '@causeway/protocol';
import type { Documents } from './documents.ts';
import { Nudges } from './nudges.ts';
import {
  Doubtful,
  Refused,
  Unavailable,
  type LogRow,
  type MessagePlace,
  type Projection,
  type Store,
  type Time,
  type ViewState,
} from './ports.ts';
import { indexUpdate } from './segment-index.ts';
import { placedCopy, rowOf, type PlacedCopy } from './message-row.ts';

const EVERY_MS = 1_000;
const RETRY_MS = 100;
/** Between two pages while there is nothing to catch up with: many commits go into one page. */
const PAUSE_MS = 10;
/** Rows and cells of the log in one page, rows whose bytes are read at a time, places looked up at a time. */
const PAGE = { listed: 500, loaded: 32, places: 1_000 } as const;
/** Of one page. When a page is larger, a smaller one is read; a single commit is bounded where it is made. */
const WEIGHT = { messages: 5_000, chars: 8 * 1024 * 1024 } as const;

export type ProjectorParts = {
  store: Pick<Store, 'viewState' | 'mendViews' | 'awaiting' | 'tail' | 'loadRows' | 'copies' | 'project'>;
  documents: Documents;
  time: Time;
  /** See AppendQueue.settled. */
  settled(name: string): Promise<void>;
  /** Brings the documents in memory level with all up to a commit; false when that cannot be said yet. */
  reach(commit: number): Promise<boolean>;
};

export type ProjectorEvents = {
  /** All up to this commit is in the view. */
  passed(position: number): void;
  failed(error: unknown): void;
};

/** What a page touches: per channel the messages, and per message the segments that the rows name. */
type Touched = Map<string, Map<string, Set<number>>>;
/** Where the view is, and how far the log behind it was found to hold nothing for it. */
type Place = ViewState & { read: number };
/** By the name of a segment that lacks something: messages to look at again with its next row. */
type Awaited = Map<string, readonly string[]>;
type United = Pick<Projection, 'messages' | 'gone'> & { lacking: ReadonlySet<string> };

/** The page was larger than one transaction should be. */
class TooMuch extends Error {}
/** Another projector came first. */
class Overtaken extends Error {}

/**
 * Keeps the view of messages level with the log: reads the tail, finds the messages that its rows
 * touch from their bytes alone, and writes each as the union of its copies, as committed. Writing
 * a message twice, or from a state that is newer than the row, gives the same in the end: whatever
 * changes it later touches it again.
 *
 * One thing changes a message without touching it: what it said waited in Yjs for a row that was missing, and that
 * row has come. So the messages of a segment that lacks something are kept until it does not, and each of its rows
 * touches them again.
 *
 * Snapshots are read only until `rebuildTo`: compaction takes away no row that the view has not
 * passed, so a snapshot made while the view stood at `position` holds nothing above `position`. What
 * a view that begins again needs are the snapshots that are there already when it begins.
 *
 * One process of a region projects at a time. If two do (a role was lost and nobody told), each
 * writes only from the position that it started at.
 */
export class Projector {
  readonly #parts: ProjectorParts;
  readonly #events: ProjectorEvents;
  readonly #nudges = new Nudges();
  #place: Place | undefined;
  #awaited: Awaited = new Map();
  #limit: number = PAGE.listed;

  constructor(parts: ProjectorParts, events: ProjectorEvents) {
    this.#parts = parts;
    this.#events = events;
  }

  /** Something was committed, or is awaited: looks at once. */
  nudge(): void {
    this.#nudges.nudge();
  }

  /** Projects until the signal fires; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { time } = this.#parts;
    signal.addEventListener('abort', () => this.nudge(), { once: true });
    this.#place = undefined;
    while (!signal.aborted) {
      try {
        if (await this.#page()) continue;
        await time.sleep(PAUSE_MS, signal);
        // Somebody may have asked for a rebuild.
        if (!(await this.#nudges.wait(time, EVERY_MS))) this.#place = undefined;
      } catch (error) {
        // From the very place: pages without rows leave no position behind, and begun from there again
        // they would let the limit grow back to what was too much.
        if (error instanceof TooMuch) continue;
        this.#place = undefined;
        if (!(error instanceof Overtaken)) this.#events.failed(error);
        await time.sleep(RETRY_MS, signal);
      }
    }
  }

  /** True when there is more to read. */
  async #page(): Promise<boolean> {
    const { store, reach } = this.#parts;
    const place = (this.#place ??= await this.#find());
    const limit = this.#limit;
    const { rows, cells, to } = await store.tail(place.read, limit);
    const rebuilding = place.position < place.rebuildTo;
    const wanted = rows.filter(
      ({ name, snapshot }) => parseName(name)?.kind === 'segment' && (rebuilding || !snapshot),
    );
    const touched = await this.#touchedBy(wanted);
    const written = new Set(wanted.map(({ name }) => name));
    for (const name of written) touch(touched, name, this.#awaited.get(name) ?? []);
    // Copies in memory may lack what another process committed, also in segments that no row names.
    if (touched.size > 0 && !(await reach(to))) throw new Unavailable(`memory is behind commit ${to}`);
    const { lacking, ...messages } = await this.#unite(touched);
    const awaiting = [...written]
      .filter((name) => lacking.has(name) || this.#awaited.has(name))
      .map((document) => ({ document, ids: lacking.has(document) ? idsIn(touched, document) : [] }));
    // A page of cells alone changes nothing in the view, and the position need not follow each of them.
    if (rows.length > 0 || rebuilding)
      await this.#write({ from: place.position, to, ...messages, awaiting }, place);
    place.read = to;
    this.#events.passed(to);
    this.#limit = Math.min(PAGE.listed, limit * 2);
    return rows.length + cells.length >= limit;
  }

  async #find(): Promise<Place> {
    const { store } = this.#parts;
    await store.mendViews();
    const state = await store.viewState();
    this.#awaited = new Map((await store.awaiting()).map(({ document, ids }) => [document, ids]));
    this.#events.passed(state.position);
    return { ...state, read: state.position };
  }

  async #write(projection: Projection, place: Place): Promise<void> {
    if (projection.from === projection.to) return;
    if (!(await this.#parts.store.project(projection))) throw new Overtaken();
    place.position = projection.to;
    for (const { document, ids } of projection.awaiting)
      if (ids.length === 0) this.#awaited.delete(document);
      else this.#awaited.set(document, ids);
  }

  async #touchedBy(rows: readonly LogRow[]): Promise<Touched> {
    const touched: Touched = new Map();
    let messages = 0;
    for (let at = 0; at < rows.length; at += PAGE.loaded) {
      const asked = rows.slice(at, at + PAGE.loaded).map(({ name, id }) => ({ name, id }));
      for (const { entry } of await this.#parts.store.loadRows(asked)) messages += note(touched, entry);
      if (messages > WEIGHT.messages) this.#refuse();
    }
    return touched;
  }

  /** Each touched message from all its copies, one document at a time. */
  async #unite(touched: Touched): Promise<United> {
    const lacking = new Set<string>();
    const copies = new Map<string, Map<string, PlacedCopy[]>>();
    const settled: Promise<void>[] = [];
    let chars = 0;
    for (const [name, ids] of await this.#documentsOf(touched)) {
      const { channel, found, isLacking } = await this.#copiesIn(name, ids, settled);
      if (isLacking) lacking.add(name);
      const ofChannel = copies.get(channel) ?? new Map<string, PlacedCopy[]>();
      copies.set(channel, ofChannel);
      for (const copy of found) {
        chars += charsOf(copy);
        ofChannel.set(copy.id, [...(ofChannel.get(copy.id) ?? []), copy]);
      }
      if (chars > WEIGHT.chars) this.#refuse();
    }
    // The copies in memory may be ahead of the log by commits in flight: read first, then share their fate.
    await Promise.all(settled);
    const messages: Projection['messages'] = [];
    const gone: Projection['gone'] = [];
    for (const [channel, ids] of touched)
      for (const id of ids.keys()) {
        const held = copies.get(channel)?.get(id) ?? [];
        const row = rowOf(channel, held);
        if (row !== undefined) messages.push(row);
        else if (held.some(({ deleted }) => deleted)) gone.push({ channel, id });
        else gone.push({ channel, id, notYet: true });
      }
    return { messages, gone, lacking };
  }

  /** The documents that hold the touched messages, and which of them. */
  async #documentsOf(touched: Touched): Promise<Map<string, Set<string>>> {
    const byDocument = new Map<string, Set<string>>();
    const add = (channel: string, segment: number, id: string): void => {
      const { workspace, channel: channelId } = parseName(channel) as { workspace: string; channel: string };
      const name = segmentName(workspace, channelId, segment);
      byDocument.set(name, (byDocument.get(name) ?? new Set()).add(id));
    };
    const places: MessagePlace[] = [];
    for (const [channel, ids] of touched)
      for (const [id, segments] of ids) {
        places.push({ channel, id });
        for (const segment of segments) add(channel, segment, id);
      }
    for (let at = 0; at < places.length; at += PAGE.places)
      for (const { channel, id, segment } of await this.#parts.store.copies(
        places.slice(at, at + PAGE.places),
      ))
        add(channel, segment, id);
    return byDocument;
  }

  async #copiesIn(
    name: string,
    ids: ReadonlySet<string>,
    settled: Promise<void>[],
  ): Promise<{ channel: string; found: PlacedCopy[]; isLacking: boolean }> {
    const parsed = parseName(name) as { workspace: string; channel: string; segment: number };
    const channel = channelScope(parsed.workspace, parsed.channel);
    try {
      let live = await this.#parts.documents.open(name);
      // Dropped is what a failed commit was authored into: it shows what never was.
      while (live.dropped) live = await this.#parts.documents.open(name);
      const { segment } = live;
      settled.push(this.#parts.settled(name));
      return {
        channel,
        found: [...ids].map((id) => placedCopy(segment!, parsed.segment, id)),
        isLacking: live.isLacking,
      };
    } catch (error) {
      if (error instanceof Unavailable || error instanceof Doubtful || error instanceof Refused) throw error;
      // Yjs cannot read it: nobody can show its messages, and the others go on.
      this.#events.failed(error);
      return { channel, found: [], isLacking: false };
    }
  }

  #refuse(): void {
    if (this.#limit === 1) return;
    this.#limit = Math.max(1, Math.floor(this.#limit / 4));
    throw new TooMuch();
  }
}

/** Adds what one row touches; how many messages that is. */
function note(touched: Touched, { name, bytes }: { name: string; bytes: Uint8Array }): number {
  const index = indexOrNothing(name, bytes);
  if (index === undefined) return 0;
  const ids = [...index.posts.map(({ id }) => id), ...index.edits, ...index.deletes];
  touch(touched, name, ids);
  return ids.length;
}

/** Messages of a segment. */
function touch(touched: Touched, name: string, ids: readonly string[]): void {
  if (ids.length === 0) return;
  const { channel, segment } = placeOf(name);
  const ofChannel = touched.get(channel) ?? new Map<string, Set<number>>();
  touched.set(channel, ofChannel);
  for (const id of ids) ofChannel.set(id, (ofChannel.get(id) ?? new Set()).add(segment));
}

/** The messages that are touched in a segment. */
function idsIn(touched: Touched, name: string): string[] {
  const { channel, segment } = placeOf(name);
  return [...(touched.get(channel) ?? [])].filter(([, segments]) => segments.has(segment)).map(([id]) => id);
}

function placeOf(name: string): { channel: string; segment: number } {
  const { workspace, channel, segment } = parseName(name) as Name & { kind: 'segment' };
  return { channel: channelScope(workspace, channel), segment };
}

function indexOrNothing(name: string, bytes: Uint8Array): ReturnType<typeof indexUpdate> {
  try {
    return indexUpdate(name, bytes);
  } catch {
    return undefined; // No Yjs update: it touches nothing.
  }
}

const charsOf = ({ posts, edits }: PlacedCopy): number =>
  [...posts, ...edits].reduce((sum, { value }) => sum + value.b.length, 0);
