import { parseName, type Cell, type Token } from '@causeway/protocol';
import { wins, type Row } from '@causeway/replica';
import * as Y from 'yjs';

type Held = Omit<Cell, 'scope'>;

/** Edits of a message that are never pruned, see prune.ts. */
export const KEPT_EDITS = 50;

/** A struct under a key of a root, and the struct to the left of it. */
type Keyed = { struct: string; origin: string | undefined; root: string; key: string | null; value: string };
/** Structs of one client without a hole: from one clock up to another. */
export type Stretch = { client: number; from: number; to: number; keyed: Keyed[] };

/** What an update holds, read from its bytes. */
export function stretchesOf(bytes: Uint8Array): Stretch[] {
  const stretches: Stretch[] = [];
  for (const struct of Y.decodeUpdate(bytes).structs) {
    if (struct instanceof Y.Skip) continue;
    const { client, clock } = struct.id;
    let stretch = stretches.at(-1);
    if (stretch?.client !== client || stretch.to !== clock)
      stretches.push((stretch = { client, from: clock, to: clock, keyed: [] }));
    stretch.to = clock + struct.length;
    const keyed = struct instanceof Y.Item ? keyedOf(struct) : undefined;
    if (keyed !== undefined) stretch.keyed.push(keyed);
  }
  return stretches;
}

function keyedOf({ id, length, origin, parent, parentSub, content }: Y.Item): Keyed | undefined {
  const { arr } = content as { arr?: unknown[] };
  if (arr === undefined || (parentSub === null && origin === null)) return undefined;
  return {
    struct: `${id.client}:${id.clock + length - 1}`,
    origin: origin === null ? undefined : `${origin.client}:${origin.clock}`,
    root: String(parent ?? ''),
    key: parentSub,
    value: JSON.stringify(arr.at(-1)),
  };
}

/**
 * What is committed in one region, noted at the moment of each commit and beside the store: shows
 * at any time whether what somebody was told is durable. After the loss of the disk it is empty.
 */
export class Witness {
  readonly #clocks = new Map<string, Map<number, number>>();
  readonly #stored = new Map<string, number>();
  /** What lies behind a gap: stored, but nobody can read it yet. */
  readonly #waiting = new Map<string, Stretch[]>();
  readonly #cells = new Map<string, Map<string, Held>>();
  readonly posted = new Set<string>();
  /** `message|command` */
  readonly edited = new Set<string>();
  readonly deleted = new Set<string>();
  readonly #editsOf = new Map<string, number>();

  /** Has it so many edits that older ones are pruned? Written again, such a key does not show in the bytes. */
  isPruned(message: string): boolean {
    return (this.#editsOf.get(message) ?? 0) >= KEPT_EDITS;
  }

  note(rows: readonly Row[]): void {
    for (const { entry } of rows)
      if (entry.kind === 'cells') this.#noteCells(entry);
      else this.#noteUpdate(entry.name, stretchesOf(entry.bytes));
  }

  /** The names of documents and scopes that hold anything. */
  documents(): string[] {
    return [...this.#clocks.keys()].sort();
  }

  scopes(): string[] {
    return [...this.#cells.keys()].sort();
  }

  holds(position: Token[number]): boolean {
    if ('document' in position) return this.reaches(position.document, position.client, position.clock);
    const held = this.#cells.get(position.scope)?.get(position.key);
    return held !== undefined && held.v >= position.v;
  }

  /** Is it in the log, be it behind a gap? */
  stores(document: string, client: number, clock: number): boolean {
    return (this.#stored.get(`${document} ${client}`) ?? 0) >= clock;
  }

  /** Can it be read: is everything of that client up to there? */
  reaches(document: string, client: number, clock: number): boolean {
    return (this.#clocks.get(document)?.get(client) ?? 0) >= clock;
  }

  cell(scope: string, key: string): Held | undefined {
    return this.#cells.get(scope)?.get(key);
  }

  /** Scheduled posts that were neither sent nor cancelled. */
  waitingPosts(): string[] {
    return [...this.#cells.values()].flatMap((cells) =>
      [...cells.values()]
        .filter(
          ({ key, value }) => key.startsWith('scheduled|') && value !== null && 'post' in (value as object),
        )
        .filter(({ value }) => !('failed' in (value as object)))
        .map(({ key }) => key),
    );
  }

  /** Equal texts: the same structs and cells were committed, deletes apart. */
  text(): string {
    const clocks = this.documents().map((name) => [
      name,
      [...this.#clocks.get(name)!].sort(([a], [b]) => a - b),
    ]);
    const cells = this.scopes().map((scope) => [
      scope,
      [...this.#cells.get(scope)!.values()].map(({ key, v }) => `${key} ${v}`).sort(),
    ]);
    return JSON.stringify([clocks, cells]);
  }

  #noteCells({ scope, cells }: { scope: string; cells: readonly Held[] }): void {
    let held = this.#cells.get(scope);
    if (held === undefined) this.#cells.set(scope, (held = new Map()));
    for (const cell of cells) if (wins(cell, held.get(cell.key))) held.set(cell.key, cell);
  }

  #noteUpdate(name: string, stretches: readonly Stretch[]): void {
    let held = this.#clocks.get(name);
    if (held === undefined) this.#clocks.set(name, (held = new Map()));
    for (const { client, to } of stretches) {
      const place = `${name} ${client}`;
      this.#stored.set(place, Math.max(this.#stored.get(place) ?? 0, to));
    }
    const isSegment = parseName(name)?.kind === 'segment';
    let waiting = [...(this.#waiting.get(name) ?? []), ...stretches];
    for (let before = -1; before !== waiting.length;) {
      before = waiting.length;
      waiting = waiting.filter(({ client, from, to, keyed }) => {
        const reached = held.get(client) ?? 0;
        if (from > reached) return true;
        held.set(client, Math.max(reached, to));
        if (isSegment) this.#noteKeys(keyed);
        return false;
      });
    }
    this.#waiting.set(name, waiting);
  }

  #noteEdit(key: string): void {
    if (this.edited.has(key)) return;
    this.edited.add(key);
    const message = key.slice(0, key.indexOf('|'));
    this.#editsOf.set(message, (this.#editsOf.get(message) ?? 0) + 1);
  }

  #noteKeys(keyed: readonly Keyed[]): void {
    for (const { root, key } of keyed) {
      if (key === null) continue;
      if (root === 'm') this.posted.add(key.slice(0, key.indexOf('|')));
      else if (root === 'e') this.#noteEdit(key);
      else if (root === 'x') this.deleted.add(key);
    }
  }
}

/** Watches the rule that servers write every key of a segment once, in the whole zone (R8). */
export class WriteOnce {
  readonly #values = new Map<string, string>();
  readonly #keys = new Map<string, string>();

  /** Looks at rows that a region wrote itself; returns what contradicts what was written before. */
  note(rows: readonly Row[]): string | undefined {
    for (const { entry } of rows) {
      if (entry.kind !== 'update' || parseName(entry.name)?.kind !== 'segment') continue;
      const keyed = stretchesOf(entry.bytes).flatMap((stretch) => stretch.keyed);
      for (const { struct, origin, root, key, value } of keyed) {
        const place =
          key === null ? this.#keys.get(`${entry.name} ${origin}`) : `${entry.name} ${root} ${key}`;
        if (place === undefined) continue;
        this.#keys.set(`${entry.name} ${struct}`, place);
        const before = this.#values.get(place);
        if (before === undefined) this.#values.set(place, value);
        else if (before !== value) return `${place} was ${before} and is ${value}`;
      }
    }
    return undefined;
  }
}
