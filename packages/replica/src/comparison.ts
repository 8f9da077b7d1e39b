import type { Cells } from './cells.ts';
import type { Documents } from './documents.ts';
import type { LiveDocument } from './live-document.ts';
import type { Time } from './ports.ts';

/** How much of what is in memory is read again at a time: a few milliseconds of work. */
const AT_ONCE = { documents: 4, scopes: 100 } as const;
const EVERY_MS = 1_000;

/**
 * Reads what is in memory again, bit by bit, round and round (R15). It finds what this process was
 * not told: what another process of the region committed, and what landed after its connection
 * had broken.
 */
export class Comparison {
  readonly #documents: Documents;
  readonly #cells: Cells;
  readonly #compared: (live: LiveDocument) => void;
  #names: string[] = [];
  #scopes: string[] = [];

  constructor(documents: Documents, cells: Cells, compared: (live: LiveDocument) => void) {
    this.#documents = documents;
    this.#cells = cells;
    this.#compared = compared;
  }

  /** Compares until the signal fires; never rejects. */
  async run(time: Time, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await time.sleep(EVERY_MS, signal);
      // A database that does not answer is noticed by those who need it; the next round compares.
      if (!signal.aborted) await this.#step().catch(() => undefined);
    }
  }

  async #step(): Promise<void> {
    if (this.#names.length === 0) this.#names = this.#documents.names();
    if (this.#scopes.length === 0) this.#scopes = this.#cells.scopes();
    for (const name of this.#names.splice(0, AT_ONCE.documents)) {
      const live = await this.#documents.compare(name);
      if (live !== undefined) this.#compared(live);
    }
    const scopes = this.#scopes.splice(0, AT_ONCE.scopes);
    if (scopes.length > 0) await this.#cells.compare(scopes);
  }
}
