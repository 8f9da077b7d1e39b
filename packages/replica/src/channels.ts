import { channelScope, parseName } from '@causeway/protocol';
import type { CellsEntry, Cells } from './cells.ts';
import { cellsEntry } from './cells.ts';
import { countOrder } from './hybrid-time.ts';
import type { AuthoredIn, Row, Store } from './ports.ts';
import { highestTop, isFull, topKey, type Authored } from './segment-rule.ts';

type State = {
  /** What this region authored, by segment, the commit in flight included. */
  authored: Map<number, Authored>;
  /** A segment found full: posts go above it. */
  above: number;
  /** The `top` that this process has written or found written. */
  raised: number;
};

/** Channels whose counts are in memory; the ones used longest ago leave first. */
const CHANNELS = 4_096;

/** Which segment the next post of a channel goes into, and this region's `top` of it. */
export class Channels {
  readonly #store: Store;
  readonly #cells: Cells;
  readonly #region: string;
  readonly #regions: number;
  readonly #slots = new Map<string, { state: State; loading: Promise<void> | undefined }>();

  constructor(store: Store, cells: Cells, region: string, regions: number) {
    this.#store = store;
    this.#cells = cells;
    this.#region = region;
    this.#regions = regions;
  }

  /** The number of the segment to post into: the highest one known, or the next when our share is used up. */
  async segmentForPost(channel: string): Promise<number> {
    const state = await this.#open(channel);
    const top = Math.max(
      highestTop((await this.#cells.open(channel)).values()),
      state.raised,
      state.above + 1,
    );
    return this.#isFull(state, top, 0) ? top + 1 : top;
  }

  /**
   * Counts a post that is being authored and returns the cells that go with it (our `top`, when
   * it rises); `full` when it has to go into the next segment instead. Synchronous, for authors;
   * the channel must have been asked for by `segmentForPost` before.
   */
  countPost(
    state: State,
    channel: string,
    segment: number,
    bytes: number,
    size: number,
  ): CellsEntry[] | 'full' {
    if (this.#isFull(state, segment, size)) {
      state.above = Math.max(state.above, segment);
      return 'full';
    }
    const authored = authoredIn(state, segment);
    authored.posts++;
    authored.operations++;
    authored.bytes += bytes;
    return this.#raise(state, channel, segment);
  }

  countOperation(state: State, segment: number, bytes: number): void {
    const authored = authoredIn(state, segment);
    authored.operations++;
    authored.bytes += bytes;
  }

  /**
   * Totals of this region after a commit. Ours are in them, and those of its other processes,
   * which we know of from nowhere else; what we have under way is not.
   */
  counted(totals: readonly AuthoredIn[]): void {
    for (const { channel, segment, posts, bytes, operations } of totals) {
      const slot = this.#slots.get(channel);
      if (slot === undefined) continue;
      const authored = authoredIn(slot.state, segment);
      authored.posts = Math.max(authored.posts, posts);
      authored.bytes = Math.max(authored.bytes, bytes);
      authored.operations = Math.max(authored.operations, operations);
    }
  }

  /** The state that the counting functions take. */
  state(channel: string): Promise<State> {
    return this.#open(channel);
  }

  /** Our `top` cells that follow from segments which peers opened. */
  async raisedBy(rows: readonly Row[]): Promise<Row[]> {
    const highest = new Map<string, number>();
    for (const { index } of rows)
      if (index !== undefined && index.posts.length > 0)
        highest.set(index.channel, Math.max(highest.get(index.channel) ?? 0, index.segment));
    const raised: Row[] = [];
    for (const [channel, segment] of highest) {
      const held = (await this.#cells.open(channel)).get(topKey(this.#region))?.value;
      if (typeof held === 'number' && held >= segment) continue;
      raised.push({ entry: this.#topEntry(channel, segment) });
    }
    return raised;
  }

  /** Forgets what was counted for a document whose commit failed, and that our `top` was written. */
  drop(name: string): void {
    const parsed = parseName(name);
    if (parsed?.kind !== 'segment' && parsed?.kind !== 'channel') return;
    const channel = channelScope(parsed.workspace, parsed.channel);
    const slot = this.#slots.get(channel);
    if (slot === undefined) return;
    // In place: posts that are tried again hold this very state, and the `top` failed with them.
    slot.state.raised = 0;
    slot.loading = undefined;
  }

  #raise(state: State, channel: string, segment: number): CellsEntry[] {
    if (state.raised >= segment) return [];
    state.raised = segment;
    return [this.#topEntry(channel, segment)];
  }

  #topEntry(channel: string, segment: number): CellsEntry {
    return cellsEntry(channel, { key: topKey(this.#region), v: countOrder(segment), value: segment });
  }

  #isFull(state: State, segment: number, size: number): boolean {
    return isFull(state.authored.get(segment) ?? NOTHING, size, this.#regions);
  }

  async #open(channel: string): Promise<State> {
    const slot = this.#slots.get(channel) ?? { state: emptyState(), loading: undefined };
    this.#slots.delete(channel);
    this.#slots.set(channel, slot);
    if (this.#slots.size > CHANNELS) this.#slots.delete(this.#slots.keys().next().value!);
    slot.loading ??= this.#load(channel, slot.state);
    try {
      await slot.loading;
    } catch (error) {
      slot.loading = undefined;
      throw error;
    }
    return slot.state;
  }

  async #load(channel: string, state: State): Promise<void> {
    const cells = await this.#cells.open(channel);
    const rows = await this.#store.segments(channel);
    state.authored = new Map(
      rows.map(({ segment, posts, bytes, operations }) => [segment, { posts, bytes, operations }]),
    );
    state.above = 0;
    const raised = cells.get(topKey(this.#region))?.value;
    state.raised = typeof raised === 'number' ? raised : 0;
  }
}

export type ChannelState = State;

const emptyState = (): State => ({ authored: new Map(), above: 0, raised: 0 });
const NOTHING: Authored = { posts: 0, bytes: 0, operations: 0 };

function authoredIn(state: State, segment: number): Authored {
  let authored = state.authored.get(segment);
  if (authored === undefined) state.authored.set(segment, (authored = { ...NOTHING }));
  return authored;
}
