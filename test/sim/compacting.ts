import { Compactor, canonicalState, integrate, type Row, type Store } from '@causeway/replica';
import { MemoryStore } from '@causeway/store';
import * as Y from 'yjs';
import { Faults } from './faults.ts';
import { SimulatedTime } from './simulated-time.ts';

export type Notified = { what: string; [detail: string]: unknown };

/** A document from rows, in this order. */
export function replay(rows: readonly Uint8Array[]): Y.Doc {
  const doc = new Y.Doc();
  for (const row of rows) integrate(doc, row, 'peer');
  return doc;
}

export const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');
/** What is integrated, to compare. */
export const stateOf = (rows: readonly Uint8Array[]): string =>
  Buffer.from(canonicalState(replay(rows))).toString('base64');

/** What a document holds pending, as ranges of clocks; how they are cut into structs does not matter. */
export function pendingOf({ store }: Y.Doc): { structs: string[]; deletes: string[] } {
  const structs =
    store.pendingStructs === null
      ? []
      : Y.decodeUpdateV2(store.pendingStructs.update)
          .structs.filter((struct) => !(struct instanceof Y.Skip))
          .map(({ id, length }) => ({ client: id.client, clock: id.clock, len: length }));
  const deletes =
    store.pendingDs === null
      ? []
      : [...Y.decodeUpdateV2(store.pendingDs).ds.clients].flatMap(([client, ranges]) =>
          ranges.map(({ clock, len }) => ({ client, clock, len })),
        );
  return { structs: clocks(structs), deletes: clocks(deletes) };
}

function clocks(ranges: readonly { client: number; clock: number; len: number }[]): string[] {
  const each = ranges.flatMap(({ client, clock, len }) =>
    Array.from({ length: len }, (_, at) => `${client}:${clock + at}`),
  );
  return [...new Set(each)].sort();
}

/** One region's database with compactors on it and nothing else: who writes, publishes and projects is the test. */
export class Bench {
  readonly time = new SimulatedTime();
  readonly faults = new Faults();
  readonly notices: Notified[] = [];
  readonly pruned: string[] = [];
  readonly store: MemoryStore;
  readonly #stop = new AbortController();

  constructor() {
    this.store = new MemoryStore({ region: 'us', fail: this.faults.fail, now: () => this.time.now() });
  }

  /** Starts a compactor that works until the bench is closed, whoever else does. */
  compactor(store: Store = this.store): Compactor {
    const compactor = new Compactor(store, this.time, {
      prune: async (name) => void this.pruned.push(name),
      notice: (what, detail) => void this.notices.push({ what, ...detail }),
    });
    void compactor.run(this.#stop.signal);
    return compactor;
  }

  close(): void {
    this.#stop.abort();
    this.time.end();
  }

  /** Written by this region; waits in the outbox. */
  async append(name: string, ...updates: Uint8Array[]): Promise<void> {
    await this.store.append(updates.map((bytes) => row(name, bytes)));
  }

  /** Written by a peer. */
  async apply(name: string, ...updates: Uint8Array[]): Promise<void> {
    await this.store.apply({
      peer: 'eu',
      rows: updates.map((bytes) => row(name, bytes)),
      own: [],
      parked: [],
    });
  }

  /** Empties the outbox, or takes `limit` rows out of it. */
  async publish(limit = 10_000): Promise<void> {
    const rows = await this.store.unpublished({ olderThanMs: 0, limit });
    await this.store.published(
      rows.map(({ seq }) => seq),
      { incarnation: 'one', sequence: 1 },
    );
  }

  /** The view has read everything. */
  async project(): Promise<void> {
    const { position: from } = await this.store.viewState();
    await this.store.project({ from, to: await this.store.horizon(), messages: [], gone: [], awaiting: [] });
  }

  /** Waits until nothing is stale any more, with the view and the broker keeping up. */
  async settle(ms = 1_200_000): Promise<void> {
    const deadline = this.time.now() + ms;
    while ((await this.store.stale(1)).length > 0) {
      if (this.time.now() > deadline) throw new Error(`still stale after ${ms} simulated ms`);
      await this.publish();
      await this.project();
      await this.time.sleep(500);
    }
  }
}

const row = (name: string, bytes: Uint8Array): Row => ({ entry: { kind: 'update', name, bytes } });
