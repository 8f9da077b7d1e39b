import { canonical, type Cell, type Entry } from '@causeway/protocol';
import {
  Refused,
  type ApplyBatch,
  type Cursor,
  type MessagePlace,
  type OutboxRow,
  type Row,
  type SegmentRow,
  type Store,
  type Untidy,
} from '@causeway/replica';
import {
  beats,
  effectsOf,
  entryOf,
  widen,
  type Authored,
  type SegmentChange,
  type Touched,
} from './batch.ts';
import { Leads } from './memory-leads.ts';
import { compareText } from '@causeway/protocol';

/** Operations of a store that can be made to fail. */
export type StoreOperation = Exclude<keyof Store, 'lanes' | 'close'>;

export type MemoryStoreOptions = {
  region: string;
  /**
   * Called before and after each operation takes effect; what it throws (Refused, Unavailable,
   * Doubtful) is what the caller sees. Thrown `before`, nothing has happened; `after`,
   * everything has and only the answer is lost. May wait, which stretches the commit.
   */
  fail?: (operation: StoreOperation, when: 'before' | 'after') => Promise<void>;
  /** Milliseconds since 1970, for the age of outbox rows: the simulated clock in a simulation. */
  now?: () => number;
  /** What identity() answers; another one stands for another database. */
  identity?: string;
};

type Copies = { segments: Set<number>; deleted: Set<number> };

/**
 * A store in memory for simulations and tests: the semantic of PostgresStore, no timers, no
 * randomness. One object stands for one region's database of one zone and outlives the
 * processes that use it: close() keeps the data and takes the roles away.
 */
export class MemoryStore implements Store {
  readonly lanes = 2;
  readonly region: string;
  readonly #options: MemoryStoreOptions;
  readonly #log = new Map<string, { id: number; bytes: Uint8Array; own: boolean; entry: Row['entry'] }[]>();
  readonly #outbox = new Map<number, OutboxRow & { at: number }>();
  readonly #cells = new Map<string, Map<string, { v: string; text: string; own: boolean }>>();
  readonly #copies = new Map<string, Map<string, Copies>>();
  readonly #segments = new Map<string, Map<number, SegmentRow>>();
  readonly #untidy = new Map<string, Untidy>();
  readonly #cursors = new Map<string, Cursor>();
  readonly #parked = new Map<string, ApplyBatch['parked']>();
  readonly #leads = new Leads();
  #incarnation: string | undefined;
  #seq = 0;
  #mark = 0;

  constructor(options: MemoryStoreOptions) {
    this.region = options.region;
    this.#options = options;
  }

  append(rows: readonly Row[]): Promise<{ outbox: OutboxRow[]; untidy: Untidy[] }> {
    return this.#operation('append', () => this.#commit(rows.map((row) => ({ row, own: true }))));
  }

  apply(batch: ApplyBatch): Promise<{ outbox: OutboxRow[]; untidy: Untidy[] }> {
    return this.#operation('apply', () => {
      refuseNul([batch.peer, batch.cursor, batch.parked.map(({ name }) => name)]);
      const committed = this.#commit([
        ...batch.rows.map((row) => ({ row, own: false })),
        ...batch.own.map((row) => ({ row, own: true })),
      ]);
      if (batch.cursor !== undefined) this.#cursors.set(batch.peer, { ...batch.cursor });
      for (const parked of batch.parked) this.#park(parked);
      return committed;
    });
  }

  loadDocument(name: string): Promise<Uint8Array[]> {
    return this.#operation('loadDocument', () =>
      (this.#log.get(name) ?? []).map(({ bytes }) => bytes.slice()),
    );
  }

  loadCells(scopes: readonly string[]): Promise<Cell[]> {
    return this.#operation('loadCells', () =>
      [...new Set(scopes)]
        .sort(compareText)
        .flatMap((scope) =>
          [...(this.#cells.get(scope) ?? [])]
            .sort(([a], [b]) => compareText(a, b))
            .map(([key, { v, text }]) => ({ scope, key, v, value: JSON.parse(text) as unknown })),
        ),
    );
  }

  copies(
    messages: readonly MessagePlace[],
  ): Promise<(MessagePlace & { segment: number; deleted: boolean })[]> {
    return this.#operation('copies', () => {
      const asked = new Map(messages.map(({ channel, id }) => [`${channel}\n${id}`, { channel, id }]));
      return [...asked.values()]
        .sort((a, b) => compareText(a.channel, b.channel) || compareText(a.id, b.id))
        .flatMap(({ channel, id }) => {
          const held = this.#copies.get(channel)?.get(id);
          if (held === undefined) return [];
          return [...held.segments.union(held.deleted)]
            .sort((a, b) => a - b)
            .map((segment) => ({ channel, id, segment, deleted: held.deleted.has(segment) }));
        });
    });
  }

  segments(channel: string): Promise<SegmentRow[]> {
    return this.#operation('segments', () =>
      [...(this.#segments.get(channel)?.values() ?? [])]
        .sort((a, b) => a.segment - b.segment)
        .map((row) => ({ ...row })),
    );
  }

  cursor(peer: string): Promise<Cursor | undefined> {
    return this.#operation('cursor', () => {
      const held = this.#cursors.get(peer);
      return held === undefined ? undefined : { ...held };
    });
  }

  parkedNames(): Promise<string[]> {
    return this.#operation('parkedNames', () =>
      [...this.#parked]
        .filter(([, kept]) => kept.some(({ version }) => version > 0))
        .map(([name]) => name)
        .sort(compareText),
    );
  }

  unpublished(options: { olderThanMs: number; limit: number }): Promise<OutboxRow[]> {
    return this.#operation('unpublished', () => {
      const until = this.#now() - options.olderThanMs;
      return [...this.#outbox.values()]
        .filter(({ at }) => at <= until)
        .sort((a, b) => a.seq - b.seq)
        .slice(0, options.limit)
        .map(({ seq, entry }) => ({ seq, entry: copyOf(entry) }));
    });
  }

  published(seqs: readonly number[]): Promise<void> {
    return this.#operation('published', () => {
      for (const seq of seqs) this.#outbox.delete(seq);
    });
  }

  adoptIncarnation(incarnation: string): Promise<boolean> {
    return this.#operation('adoptIncarnation', () => {
      const before = this.#incarnation;
      this.#incarnation = incarnation;
      if (before === undefined || before === incarnation) return false;
      this.#outbox.clear();
      // Cells first: a peer that then sees a segment knows already that it is the newest.
      for (const entry of this.#ownCells()) this.#enqueue(++this.#seq, entry);
      const updates = [...this.#log.values()].flat().sort((a, b) => a.id - b.id);
      for (const { own, entry } of updates) if (own) this.#enqueue(++this.#seq, entry);
      return true;
    });
  }

  untidy(limit: number): Promise<Untidy[]> {
    return this.#operation('untidy', () =>
      [...this.#untidy.values()]
        .sort((a, b) => a.mark - b.mark)
        .slice(0, limit)
        .map((row) => ({ ...row })),
    );
  }

  tidied(rows: readonly Untidy[]): Promise<void> {
    return this.#operation('tidied', () => {
      for (const { channel, id, mark } of rows) {
        const place = `${channel}\n${id}`;
        if (this.#untidy.get(place)?.mark === mark) this.#untidy.delete(place);
      }
    });
  }

  identity(): Promise<string> {
    return this.#operation('identity', () => this.#options.identity ?? 'memory');
  }

  async lead(role: string, work: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void> {
    await this.#options.fail?.('lead', 'before');
    await this.#leads.run(role, work, signal);
    await this.#options.fail?.('lead', 'after');
  }

  /** What a broken connection does: every role is free again and its holder's signal fires. */
  loseLeads(): void {
    this.#leads.lose();
  }

  async close(): Promise<void> {
    this.#leads.lose();
  }

  async #operation<T>(operation: StoreOperation, effect: () => T): Promise<T> {
    await this.#options.fail?.(operation, 'before');
    const result = effect();
    await this.#options.fail?.(operation, 'after');
    return result;
  }

  /** All of a batch or, when it throws, nothing: it checks first and then changes without waiting. */
  #commit(batch: readonly Authored[]): { outbox: OutboxRow[]; untidy: Untidy[] } {
    refuseNul(batch.map(({ row }) => row));
    const { cells, segments, touched } = effectsOf(batch);
    const outbox: OutboxRow[] = [];
    for (const { row, own } of batch) {
      const entry = copyOf(row.entry);
      const id = ++this.#seq;
      if (entry.kind === 'update')
        entryOf(this.#log, entry.name, () => []).push({ id, bytes: entry.bytes, own, entry });
      if (!own) continue;
      this.#enqueue(id, entry);
      outbox.push({ seq: id, entry: row.entry });
    }
    for (const cell of cells) {
      const scope = entryOf(this.#cells, cell.scope, () => new Map());
      const held = scope.get(cell.key);
      if (held === undefined || beats(cell, held)) scope.set(cell.key, cell);
    }
    for (const change of segments) this.#count(change);
    const untidy = touched.filter((message) => this.#touch(message)).map((message) => this.#flag(message));
    return { outbox, untidy };
  }

  #enqueue(seq: number, entry: Row['entry']): void {
    this.#outbox.set(seq, { seq, entry, at: this.#now() });
  }

  #count({ channel, ...change }: SegmentChange): void {
    const row = entryOf(
      entryOf(this.#segments, channel, () => new Map<number, SegmentRow>()),
      change.segment,
      (): SegmentRow => ({ segment: change.segment, posts: 0, bytes: 0, operations: 0 }),
    );
    row.posts += change.posts;
    row.bytes += change.bytes;
    row.operations += change.operations;
    widen(row, change);
  }

  /** Records a touched message; true when somebody has to look at it. */
  #touch({ channel, id, posted, edited, deleted, deletedByPeer }: Touched): boolean {
    const channelCopies = entryOf(this.#copies, channel, () => new Map<string, Copies>());
    const held = entryOf(channelCopies, id, () => ({ segments: new Set(), deleted: new Set() }));
    for (const segment of posted) held.segments.add(segment);
    for (const segment of deleted) held.deleted.add(segment);
    const places = held.segments.union(held.deleted);
    const written = posted.union(edited);
    const elsewhere = [...written.union(deleted)].some(
      (segment) => places.size > (places.has(segment) ? 1 : 0),
    );
    return deletedByPeer || elsewhere || !written.isDisjointFrom(held.deleted);
  }

  #flag({ channel, id }: Touched): Untidy {
    const row = { channel, id, mark: ++this.#mark };
    this.#untidy.set(`${channel}\n${id}`, row);
    return { ...row };
  }

  /** Kept once, however often the message comes. */
  #park(parked: ApplyBatch['parked'][number]): void {
    const kept = entryOf(this.#parked, parked.name, () => []);
    const same = kept.some(({ bytes }) => canonical([...bytes]) === canonical([...parked.bytes]));
    if (!same) kept.push({ ...parked, bytes: parked.bytes.slice() });
  }

  *#ownCells(): Generator<Entry & { kind: 'cells' }> {
    const scopes = [...this.#cells].sort(([a], [b]) => compareText(a, b));
    for (const [scope, cells] of scopes) {
      const own = [...cells].filter(([, cell]) => cell.own).sort(([a], [b]) => compareText(a, b));
      if (own.length > 0)
        yield {
          kind: 'cells',
          scope,
          cells: own.map(([key, { v, text }]) => ({ key, v, value: JSON.parse(text) as unknown })),
        };
    }
  }

  #now(): number {
    return this.#options.now?.() ?? Date.now();
  }
}

/** What the log keeps must not change when the caller's objects do. */
function copyOf(entry: Row['entry']): Row['entry'] {
  if (entry.kind === 'update') return { ...entry, bytes: entry.bytes.slice() };
  return { ...entry, cells: entry.cells.map((cell) => ({ ...cell, value: structuredClone(cell.value) })) };
}

/** Postgres' text holds no NUL; refusing it here too lets simulations meet what servers meet. */
function refuseNul(content: unknown): void {
  if (typeof content === 'string') {
    if (content.includes('\0')) throw new Refused('text with a NUL character');
  } else if (Array.isArray(content)) for (const item of content) refuseNul(item);
  else if (content instanceof Uint8Array) return;
  else if (content !== null && typeof content === 'object')
    for (const [field, item] of Object.entries(content)) if (field !== 'value') refuseNul(item);
}
