import { canonical, channelScope, compareText, parseName, type Cell, type Entry } from '@causeway/protocol';
import type { Store } from './ports.ts';
import { ScopeLoads } from './scope-loads.ts';

export type CellsEntry = Extract<Entry, { kind: 'cells' }>;
export type CellListener = (scope: string, cells: readonly Omit<Cell, 'scope'>[]) => void;
type Held = Omit<Cell, 'scope'>;

/** The law of cells: the larger `v` wins, and among equal ones the larger value text. */
export function wins(
  a: { v: string; value: unknown },
  b: { v: string; value: unknown } | undefined,
): boolean {
  if (b === undefined || a.v > b.v) return true;
  return a.v === b.v && compareText(canonical(a.value), canonical(b.value)) > 0;
}

export function mergeCell(into: Map<string, Held>, cell: Held): void {
  if (wins(cell, into.get(cell.key))) into.set(cell.key, cell);
}

export const cellsEntry = (scope: string, ...cells: Held[]): CellsEntry => ({ kind: 'cells', scope, cells });

type Slot = { loading: Promise<ReadonlyMap<string, Held>>; held: Map<string, Held>; isLoaded: boolean };

/**
 * Scopes held in memory; the ones used longest ago leave first. Messages, of which a channel that is opened brings
 * hundreds, push out no others.
 */
const SCOPES = 4_096;
const MESSAGES = 20_000;
/** Cells that were told and that the tail has not listed yet; what does not fit is told twice. */
const TOLD = 10_000;

/** Committed cells of the scopes in use, and those who want to hear of changes. */
export class Cells {
  readonly #store: Pick<Store, 'loadCells'>;
  readonly #loads: ScopeLoads;
  readonly #slots = new Map<string, Slot>();
  readonly #messages = new Map<string, Slot>();
  readonly #listeners = new Map<string, Set<CellListener>>();
  /** By scope and key. */
  readonly #told = new Map<string, { v: string; value: unknown }>();

  constructor(store: Pick<Store, 'loadCells'>) {
    this.#store = store;
    this.#loads = new ScopeLoads(store);
  }

  /** The cells of a scope as committed, by key; the map follows later commits while the scope stays in memory. */
  open(scope: string): Promise<ReadonlyMap<string, Held>> {
    const slots = this.#slotsFor(scope);
    let slot = slots.get(scope);
    if (slot === undefined) {
      slot = { held: new Map(), loading: undefined as never, isLoaded: false };
      slot.loading = this.#load(scope, slot, this.#loads.load(scope));
    }
    slots.delete(scope);
    slots.set(scope, slot);
    const most = slots === this.#messages ? MESSAGES : SCOPES;
    if (slots.size > most) slots.delete(slots.keys().next().value!);
    return slot.loading;
  }

  /** The same without waiting; undefined for a scope that is not in memory. */
  known(scope: string): ReadonlyMap<string, Held> | undefined {
    const slot = this.#slots.get(scope);
    return slot?.isLoaded === true ? slot.held : undefined;
  }

  /** The same for many scopes, in their order; those that are not in memory are read together. */
  openAll(scopes: readonly string[]): Promise<ReadonlyMap<string, Held>[]> {
    const missing = [...new Set(scopes)].filter((scope) => !this.#slotsFor(scope).has(scope));
    if (missing.length > 1) {
      const all = this.#store.loadCells(missing).then((cells) => Map.groupBy(cells, ({ scope }) => scope));
      for (const scope of missing) {
        const slot: Slot = { held: new Map(), loading: undefined as never, isLoaded: false };
        slot.loading = this.#load(
          scope,
          slot,
          all.then((found) => found.get(scope) ?? []),
        );
        this.#slotsFor(scope).set(scope, slot);
      }
    }
    return Promise.all(scopes.map((scope) => this.open(scope)));
  }

  /** Cells that were just committed, here or elsewhere. */
  committed({ scope, cells }: CellsEntry): void {
    // Merging is commutative, so a scope that is still loading may take them before its rows.
    const slot = this.#slotsFor(scope).get(scope);
    if (slot !== undefined) for (const cell of cells) mergeCell(slot.held, cell);
    const listeners = this.#listeners.get(watchedAs(scope));
    if (listeners === undefined) return;
    for (const cell of cells) this.#remember(scope, cell);
    for (const listener of listeners) listener(scope, cells);
  }

  /** The scopes in memory. */
  scopes(): string[] {
    return [...this.#slots.keys(), ...this.#messages.keys()];
  }

  /** Committed cells as the tail lists them: told to those who did not hear of them when they were committed (R15). */
  listed(cells: readonly Cell[]): void {
    for (const [scope, changed] of Map.groupBy(cells, ({ scope }) => scope)) {
      const slot = this.#slotsFor(scope).get(scope);
      if (slot !== undefined)
        for (const { key, v, value } of changed) mergeCell(slot.held, { key, v, value });
      const listeners = this.#listeners.get(watchedAs(scope));
      if (listeners === undefined) continue;
      const missed = changed.filter((cell) => !this.#wasTold(cell));
      if (missed.length === 0) continue;
      const told = missed.map(({ key, v, value }) => ({ key, v, value }));
      for (const listener of listeners) listener(scope, told);
    }
  }

  drop(scope: string): void {
    this.#slotsFor(scope).delete(scope);
  }

  /**
   * Calls `listener` with every later change of a scope, or of a channel and all its messages
   * when the scope is a channel's, until the returned function is called.
   */
  subscribe(scope: string, listener: CellListener): () => void {
    const listeners = this.#listeners.get(scope) ?? new Set();
    this.#listeners.set(scope, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(scope) === listeners) this.#listeners.delete(scope);
    };
  }

  #slotsFor(scope: string): Map<string, Slot> {
    return scope.includes('/message/') ? this.#messages : this.#slots;
  }

  #remember(scope: string, cell: Held): void {
    const place = `${scope}\n${cell.key}`;
    if (!wins(cell, this.#told.get(place))) return;
    this.#told.set(place, { v: cell.v, value: cell.value });
    if (this.#told.size > TOLD) this.#told.delete(this.#told.keys().next().value!);
  }

  #wasTold(cell: Cell): boolean {
    const place = `${cell.scope}\n${cell.key}`;
    const told = this.#told.get(place);
    // A later one than listed was told: it will be listed too.
    if (told !== undefined && !wins(told, cell)) this.#told.delete(place);
    return told !== undefined && !wins(cell, told);
  }

  async #load(
    scope: string,
    slot: Slot,
    found: Promise<readonly Cell[]>,
  ): Promise<ReadonlyMap<string, Held>> {
    try {
      for (const cell of await found) mergeCell(slot.held, cell);
      slot.isLoaded = true;
      return slot.held;
    } catch (error) {
      const slots = this.#slotsFor(scope);
      if (slots.get(scope) === slot) slots.delete(scope);
      throw error;
    }
  }
}

/** The reactions of a message are watched with its channel. */
function watchedAs(scope: string): string {
  const name = parseName(scope);
  return name?.kind === 'message' ? channelScope(name.workspace, name.channel) : scope;
}
