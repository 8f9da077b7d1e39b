import { CausewayError, channelScope, messageScope, segmentName, type Cell } from '@causeway/protocol';
import { highestTop, type LiveDocument, type Replica } from '@causeway/replica';

/** Channels whose cells one conversation hears of. */
const WATCHED = 200;
/** The newest segments whose messages' reactions come with a channel: what a screen opens with. */
const SEGMENTS = 2;

type Parts = { workspace: string; replica: Replica; changed(cells: Cell[]): void };

/** The channels whose cells a client looks at. Cells merge by their law, so changes may come before what was asked for. */
export class WatchedChannels {
  readonly #parts: Parts;
  /** By channel: how to stop hearing of it. */
  readonly #watched = new Map<string, () => void>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Hears of all changes from now on, and returns what there is. */
  async watch(channel: string): Promise<Cell[]> {
    const { workspace, replica, changed } = this.#parts;
    const scope = channelScope(workspace, channel);
    if (!this.#watched.has(channel)) {
      if (this.#watched.size >= WATCHED)
        throw new CausewayError(
          'rate-limited',
          `one connection watches at most ${WATCHED} channels; send {"do":"cells","channel":…,"on":false} for one`,
        );
      const stop = replica.subscribeCells(scope, (of, cells) =>
        changed(cells.map((cell) => ({ scope: of, ...cell }))),
      );
      this.#watched.set(channel, stop);
    }
    return replica.loadCells([scope, ...(await this.#newestMessages(channel))]);
  }

  list(): string[] {
    return [...this.#watched.keys()];
  }

  leave(channel: string): void {
    this.#watched.get(channel)?.();
    this.#watched.delete(channel);
  }

  close(): void {
    for (const stop of this.#watched.values()) stop();
    this.#watched.clear();
  }

  /** The scopes of the messages in the newest segments. */
  async #newestMessages(channel: string): Promise<string[]> {
    const { workspace, replica } = this.#parts;
    const top = highestTop((await replica.cells.open(channelScope(workspace, channel))).values());
    const scopes = new Set<string>();
    for (let segment = Math.max(1, top - SEGMENTS + 1); segment <= top; segment++) {
      const live = await this.#segment(segmentName(workspace, channel, segment));
      for (const id of live?.segment?.ids() ?? []) scopes.add(messageScope(workspace, channel, id));
    }
    return [...scopes];
  }

  async #segment(name: string): Promise<LiveDocument | undefined> {
    try {
      return await this.#parts.replica.documents.open(name);
    } catch (error) {
      // Quarantined: the channel goes on without it.
      if (error instanceof CausewayError && error.code === 'document-too-large') return undefined;
      throw error;
    }
  }
}
