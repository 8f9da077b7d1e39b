import { CausewayError, type Cell } from '@causeway/protocol';
import type { Replica } from '@causeway/replica';
import type { ChannelCells } from './channel-cells.ts';

/** Channels whose cells one conversation hears of. */
const WATCHED = 200;

type Parts = { workspace: string; replica: Replica; cells: ChannelCells; changed(cells: Cell[]): void };

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
    const { workspace, replica, cells, changed } = this.#parts;
    if (!this.#watched.has(channel)) {
      if (this.#watched.size >= WATCHED)
        throw new CausewayError(
          'rate-limited',
          `one connection watches at most ${WATCHED} channels; send {"do":"cells","channel":…,"on":false} for one`,
        );
      this.#watched.set(channel, cells.watch(replica, workspace, channel, changed));
    }
    return cells.read(replica, workspace, channel);
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
}
