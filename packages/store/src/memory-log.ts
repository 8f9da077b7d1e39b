import { compareText, type Cell } from '@causeway/protocol';
import type { LogRow, Row, Tail } from '@causeway/replica';
import { beats, entryOf, type StoredCell } from './batch.ts';

type Update = Row['entry'] & { kind: 'update' };
type Logged = {
  id: number;
  commit: number;
  own: boolean;
  snapshot: boolean;
  entry: Update;
  /** Compacted away. */
  gone?: true;
};
type HeldCell = StoredCell & { commit: number };
type Change = { row: Logged } | { cell: HeldCell };

/** Canonical JSON of one that waits: `failed` would stand between the two, and what was sent has no post. */
const WAITING = /^\{"at":[0-9]{1,16},"post":/;

/** Dead changes that the journal may hold before they are worth a look. */
const DEAD = 1_000;

/** Rows and cells of one zone, and the order in which commits wrote them. */
export class MemoryLog {
  readonly #documents = new Map<string, Logged[]>();
  readonly #scopes = new Map<string, Map<string, HeldCell>>();
  /** In order of commits; some rows and cells are gone or written again since. */
  #journal: Change[] = [];
  #dead = 0;
  /** Scheduled posts that wait, by scope and key. */
  readonly #scheduled = new Map<string, HeldCell>();

  add(row: Logged): void {
    entryOf(this.#documents, row.entry.name, () => []).push(row);
    this.#journal.push({ row });
  }

  remove(name: string, ids: ReadonlySet<number>): void {
    const [removed, left] = [[] as Logged[], [] as Logged[]];
    for (const row of this.rows(name)) (ids.has(row.id) ? removed : left).push(row);
    for (const row of removed) row.gone = true;
    this.#documents.set(name, left);
    this.#died(removed.length);
  }

  /** True when the cell won. */
  merge(cell: StoredCell, commit: number): boolean {
    const scope = entryOf(this.#scopes, cell.scope, () => new Map<string, HeldCell>());
    const held = scope.get(cell.key);
    if (held !== undefined && !beats(cell, held)) return false;
    const written = { ...cell, commit };
    scope.set(cell.key, written);
    this.#schedule(written);
    this.#journal.push({ cell: written });
    if (held !== undefined) this.#died(1);
    return true;
  }

  /** A document's rows in log order. */
  rows(name: string): readonly Logged[] {
    return this.#documents.get(name) ?? [];
  }

  /** A scope's cells in key order. */
  cells(scope: string): Cell[] {
    return [...(this.#scopes.get(scope)?.values() ?? [])]
      .sort((a, b) => compareText(a.key, b.key))
      .map(cellOf);
  }

  /** The cells of one key in the scopes of members, ordered by scope. */
  followCells(workspace: string, key: string): Cell[] {
    return [...this.#scopes.keys()]
      .filter((scope) => scope.startsWith(`${workspace}/member/`))
      .sort(compareText)
      .flatMap((scope) => this.cells(scope).filter((cell) => cell.key === key && key.startsWith('follow|')));
  }

  /** Scheduled posts that wait and are due, see Store.due. */
  due({
    region,
    own,
    others,
    limit,
  }: {
    region: string;
    own: number;
    others: number;
    limit: number;
  }): Cell[] {
    return [...this.#scheduled.values()]
      .map(cellOf)
      .map((cell) => ({ cell, ...(cell.value as { at: number; region: string }) }))
      .filter(({ at, ...cell }) => at <= (cell.region === region ? own : others))
      .sort(
        (a, b) =>
          a.at - b.at || compareText(a.cell.scope, b.cell.scope) || compareText(a.cell.key, b.cell.key),
      )
      .slice(0, limit)
      .map(({ cell }) => cell);
  }

  /** The cells of generations in all lists of canvases, ordered by scope and key. */
  generations(): Cell[] {
    return [...this.#scopes.keys()]
      .filter((scope) => scope.endsWith('/workspace/canvases'))
      .sort(compareText)
      .flatMap((scope) => this.cells(scope).filter(({ key }) => key.startsWith('generation|')));
  }

  #schedule(cell: HeldCell): void {
    if (!cell.key.startsWith('scheduled|')) return;
    const place = `${cell.scope}\n${cell.key}`;
    if (WAITING.test(cell.text)) this.#scheduled.set(place, cell);
    else this.#scheduled.delete(place);
  }

  tail(after: number, limit: number, horizon: number): Tail {
    const tail = { rows: [] as LogRow[], cells: [] as Cell[], to: Math.max(after, horizon) };
    let last: number | undefined;
    for (let at = this.#firstAfter(after); at < this.#journal.length; at++) {
      const change = this.#journal[at]!;
      if (!this.#lives(change)) continue;
      const commit = commitOf(change);
      if (last !== undefined && commit !== last && tail.rows.length + tail.cells.length >= limit)
        return { ...tail, to: last };
      if ('row' in change) tail.rows.push(logRow(change.row));
      else tail.cells.push(cellOf(change.cell));
      last = commit;
    }
    return tail;
  }

  #firstAfter(commit: number): number {
    let [low, high] = [0, this.#journal.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (commitOf(this.#journal[middle]!) > commit) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #lives(change: Change): boolean {
    if ('cell' in change) return this.#scopes.get(change.cell.scope)?.get(change.cell.key) === change.cell;
    return change.row.gone !== true;
  }

  #died(count: number): void {
    this.#dead += count;
    if (this.#dead < DEAD || this.#dead * 2 < this.#journal.length) return;
    this.#journal = this.#journal.filter((change) => this.#lives(change));
    this.#dead = 0;
  }
}

const commitOf = (change: Change): number => ('row' in change ? change.row : change.cell).commit;
const logRow = ({ id, own, snapshot, entry }: Logged): LogRow => ({ id, name: entry.name, own, snapshot });
const cellOf = ({ scope, key, v, text }: StoredCell): Cell => ({
  scope,
  key,
  v,
  value: JSON.parse(text) as unknown,
});
