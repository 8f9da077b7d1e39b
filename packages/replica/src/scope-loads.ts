import type { Cell } from '@causeway/protocol';
import type { Store } from './ports.ts';

/** Scopes in one query. */
const BATCH = 500;

type Asked = { scope: string; resolve(cells: readonly Cell[]): void; reject(error: unknown): void };

/**
 * Cells of scopes from the store. Scopes that are asked for while a query is under way go together into
 * the next, so that a thousand members who arrive at once cost a few queries.
 */
export class ScopeLoads {
  readonly #store: Pick<Store, 'loadCells'>;
  readonly #waiting: Asked[] = [];
  #isAsking = false;

  constructor(store: Pick<Store, 'loadCells'>) {
    this.#store = store;
  }

  /** Rejects with the store's error. */
  load(scope: string): Promise<readonly Cell[]> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ scope, resolve, reject });
      if (this.#isAsking) return;
      this.#isAsking = true;
      queueMicrotask(() => void this.#ask());
    });
  }

  async #ask(): Promise<void> {
    while (this.#waiting.length > 0) {
      const asked = this.#waiting.splice(0, BATCH);
      try {
        const scopes = [...new Set(asked.map(({ scope }) => scope))];
        const found = Map.groupBy(await this.#store.loadCells(scopes), ({ scope }) => scope);
        for (const { scope, resolve } of asked) resolve(found.get(scope) ?? []);
      } catch (error) {
        for (const { reject } of asked) reject(error);
      }
    }
    this.#isAsking = false;
  }
}
