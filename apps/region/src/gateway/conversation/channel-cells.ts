import { CausewayError, channelScope, messageScope, segmentName, type Cell } from '@causeway/protocol';
import { highestTop, mergeCell, type LiveDocument, type Replica } from '@causeway/replica';

/**
 * The newest segments whose messages' reactions come with a channel: as many as a screen opens with (ChannelFeed),
 * until there are so many messages in them.
 */
const SEGMENTS = 3;
const WANTED = 50;
/** What was read is read again after so long, milliseconds: other messages are the newest then. */
const READ_AGAIN_MS = 60_000;
/** Cells of one channel that are held for who asks next; where there are more, each reads his own. */
const HELD = 10_000;

type Changed = (cells: Cell[]) => void;
/** By scope, by key. */
type Scopes = Map<string, Map<string, Omit<Cell, 'scope'>>>;
type Held = { scopes: Scopes; readAt: number; loading: Promise<void> };
type Watched = { listeners: Set<Changed>; stop(): void; held: Held | undefined };

/**
 * The cells of the channels that conversations of this process look at. What one of them has read is
 * there for all who look at that channel too, and follows its changes: eighty who come back to one
 * channel cost one query (PAINS 15). Nothing is held of a channel that nobody looks at.
 */
export class ChannelCells {
  readonly #watched = new Map<string, Watched>();

  /** Hears of all changes until the returned function is called. */
  watch(replica: Replica, workspace: string, channel: string, changed: Changed): () => void {
    const scope = channelScope(workspace, channel);
    const watched = this.#watched.get(scope) ?? this.#begin(replica, scope);
    // Of its own: one function that is given twice is two listeners.
    const listener: Changed = (cells) => changed(cells);
    watched.listeners.add(listener);
    return () => {
      if (!watched.listeners.delete(listener) || watched.listeners.size > 0) return;
      watched.stop();
      this.#watched.delete(scope);
    };
  }

  /**
   * What there is in a channel that is watched. Cells merge by their law, so changes may come before it.
   * Rejects with the store's error.
   */
  async read(replica: Replica, workspace: string, channel: string): Promise<Cell[]> {
    const watched = this.#watched.get(channelScope(workspace, channel));
    if (watched === undefined) return [];
    let { held } = watched;
    if (held === undefined || performance.now() - held.readAt >= READ_AGAIN_MS) {
      const scopes: Scopes = new Map();
      const loading = load(scopes, replica, workspace, channel);
      watched.held = held = { scopes, loading, readAt: performance.now() };
    }
    const forget = (): void => {
      if (watched.held === held) watched.held = undefined;
    };
    await held.loading.catch((error: unknown) => {
      forget();
      throw error;
    });
    const cells = cellsOf(held.scopes);
    if (cells.length > HELD) forget();
    return cells;
  }

  #begin(replica: Replica, scope: string): Watched {
    const listeners = new Set<Changed>();
    const stop = replica.subscribeCells(scope, (of, changes) => {
      const cells = changes.map((cell) => ({ scope: of, ...cell }));
      if (watched.held !== undefined) merge(watched.held.scopes, cells);
      for (const listener of listeners) listener(cells);
    });
    const watched: Watched = { listeners, stop, held: undefined };
    this.#watched.set(scope, watched);
    return watched;
  }
}

function merge(into: Scopes, cells: readonly Cell[]): void {
  for (const { scope, ...cell } of cells) {
    const held = into.get(scope) ?? new Map<string, Omit<Cell, 'scope'>>();
    into.set(scope, held);
    mergeCell(held, cell);
  }
}

const cellsOf = (scopes: Scopes): Cell[] =>
  [...scopes].flatMap(([scope, held]) => [...held.values()].map((cell) => ({ scope, ...cell })));

async function load(into: Scopes, replica: Replica, workspace: string, channel: string): Promise<void> {
  const scopes = [channelScope(workspace, channel), ...(await newestMessages(replica, workspace, channel))];
  // From memory, where somebody looked lately: 400 places of an index are dear in a large database.
  for (const [at, held] of (await replica.cells.openAll(scopes)).entries())
    merge(
      into,
      [...held.values()].map((cell) => ({ scope: scopes[at]!, ...cell })),
    );
}

/** The scopes of the messages in the newest segments. */
async function newestMessages(replica: Replica, workspace: string, channel: string): Promise<string[]> {
  const top = highestTop((await replica.cells.open(channelScope(workspace, channel))).values());
  const scopes = new Set<string>();
  let messages = 0;
  for (let number = top; number > Math.max(0, top - SEGMENTS) && messages < WANTED; number--) {
    const live = await segmentIn(replica, segmentName(workspace, channel, number));
    for (const id of live?.segment?.ids() ?? []) scopes.add(messageScope(workspace, channel, id));
    messages += live?.segment?.size ?? 0;
  }
  return [...scopes];
}

async function segmentIn(replica: Replica, name: string): Promise<LiveDocument | undefined> {
  try {
    return await replica.documents.open(name);
  } catch (error) {
    // Quarantined: the channel goes on without it.
    if (error instanceof CausewayError && error.code === 'document-too-large') return undefined;
    throw error;
  }
}
