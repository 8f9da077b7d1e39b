import { decodeEntry, isDocument, parseName } from '@causeway/protocol';
import type { Cells } from './cells.ts';
import type { Documents } from './documents.ts';
import type { LiveDocument } from './live-document.ts';
import { Nudges } from './nudges.ts';
import type { LogRow, Store, Time } from './ports.ts';
import { isRow } from './receiver.ts';

const EVERY_MS = 1_000;
/** Rows and cells listed at a time, and rows whose bytes are read at a time (each at most 512 KiB, but for snapshots). */
const PAGE = { listed: 1_000, loaded: 32 } as const;

type Parts = {
  store: Pick<Store, 'horizon' | 'tail' | 'loadRows'>;
  documents: Documents;
  cells: Cells;
  time: Time;
};

export type TailEvents = {
  /** A document in memory took something that was committed elsewhere. */
  brought(live: LiveDocument): void;
  /** Something of these documents and scopes is committed, whether they are in memory or not. */
  changed(names: ReadonlySet<string>): void;
};

/**
 * Keeps what is in memory level with the log (R15). Between its rounds a process hears what other
 * processes of the region commit; what nobody told it (the broker was away, a message was lost, a
 * commit that was doubtful landed) the next round finds.
 *
 * It begins at a horizon that was taken before anything was loaded: a load shows all that was
 * committed before it began, and what commits later is listed. Rows in between are applied twice,
 * which is harmless.
 */
export class Tail {
  readonly #parts: Parts;
  readonly #events: TailEvents;
  readonly #nudges = new Nudges();
  #position = 0;
  #starting: Promise<number> | undefined;
  #reading: Promise<boolean> | undefined;

  constructor(parts: Parts, events: TailEvents) {
    this.#parts = parts;
    this.#events = events;
  }

  /** The commit behind which it begins: to be awaited before anything is loaded. Rejects with the store's error. */
  started(): Promise<number> {
    this.#starting ??= this.#parts.store.horizon().then(
      (horizon) => (this.#position = horizon),
      (error: unknown) => {
        this.#starting = undefined;
        throw error;
      },
    );
    return this.#starting;
  }

  /** Follows the log until the signal fires; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.nudge(), { once: true });
    while (!signal.aborted) {
      try {
        await this.started();
        while (!signal.aborted && (await this.#page()));
      } catch {
        // A database that does not answer is noticed by those who need it; the next round goes on here.
      }
      if (!signal.aborted) await this.#nudges.wait(this.#parts.time, EVERY_MS);
    }
  }

  /** Looks at once. */
  nudge(): void {
    this.#nudges.nudge();
  }

  /** Brings memory level with all up to this commit; false when that is above the horizon yet. */
  async reach(commit: number): Promise<boolean> {
    await this.started();
    while (this.#position < commit) {
      const before = this.#position;
      await this.#page();
      if (this.#position === before) break;
    }
    return this.#position >= commit;
  }

  /** What another process of this region told of: committed, but perhaps not all, and not in order. */
  hear(messages: readonly { name: string; bytes: Uint8Array }[]): void {
    const { documents, cells } = this.#parts;
    const names = new Set<string>();
    const brought = new Set<LiveDocument>();
    for (const { name, bytes } of messages) {
      if (parseName(name) === undefined) continue;
      names.add(name);
      if (isDocument(name) && !documents.has(name)) continue;
      // What a newer version wrote is not for this process: it parks or loads it when it is upgraded.
      const decoded = decodeEntry(bytes);
      if (!decoded.ok || !isRow(decoded.entry, name)) continue;
      if (decoded.entry.kind === 'cells') cells.committed(decoded.entry);
      else addTo(brought, documents.committedElsewhere(name, decoded.entry.bytes));
    }
    this.#tell(brought, names);
  }

  /** One page, whoever asks for it; true when there may be more. */
  #page(): Promise<boolean> {
    this.#reading ??= this.#readPage().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #readPage(): Promise<boolean> {
    const { store, documents, cells } = this.#parts;
    const { rows, cells: changed, to } = await store.tail(this.#position, PAGE.listed);
    const brought = new Set<LiveDocument>();
    const lacking = rows.filter(({ name, id }) => documents.lacks(name, id));
    for (let at = 0; at < lacking.length; at += PAGE.loaded)
      await this.#bring(lacking.slice(at, at + PAGE.loaded), brought);
    cells.listed(changed);
    this.#position = to;
    this.#tell(brought, new Set([...rows.map(({ name }) => name), ...changed.map(({ scope }) => scope)]));
    return rows.length + changed.length >= PAGE.listed;
  }

  async #bring(rows: readonly LogRow[], brought: Set<LiveDocument>): Promise<void> {
    const { store, documents } = this.#parts;
    // Rows compacted away meanwhile are left out: the snapshot that holds them comes later in the tail.
    for (const { entry } of await store.loadRows(rows.map(({ name, id }) => ({ name, id }))))
      addTo(brought, documents.committedElsewhere(entry.name, entry.bytes));
  }

  #tell(brought: ReadonlySet<LiveDocument>, names: ReadonlySet<string>): void {
    for (const live of brought) this.#events.brought(live);
    if (names.size > 0) this.#events.changed(names);
  }
}

function addTo(brought: Set<LiveDocument>, live: LiveDocument | undefined): void {
  if (live !== undefined) brought.add(live);
}
