import { isDocument, type Token } from '@causeway/protocol';
import * as Y from 'yjs';
import type { RegionDatabase } from './databases.ts';
import type { Journal, Operation } from './journal.ts';

type Acknowledged = Extract<Operation['outcome'], { acknowledged: true }>;

/**
 * What may be missing without fault: acknowledged at level `region` by a region whose disk was lost
 * before any other region had it. A later acknowledgement of the same command counts again.
 */
export class DiskLoss {
  /** By operation id or canvas word, when the disk was lost. */
  readonly #at = new Map<string, number>();

  get size(): number {
    return this.#at.size;
  }

  excuses(key: string, acknowledgedAt: number): boolean {
    return acknowledgedAt <= (this.#at.get(key) ?? -1);
  }

  /** The disk of `region` is gone; what was acknowledged before `since` is known to be everywhere. */
  async lost(
    region: string,
    since: number,
    journal: Journal,
    others: readonly RegionDatabase[],
  ): Promise<void> {
    const now = Date.now();
    const recent = journal.operations.filter(
      ({ endedAt, outcome }) => endedAt >= since && outcome.acknowledged,
    );
    const doubtful = [...Map.groupBy(recent, ({ id }) => id)].filter(([, operations]) =>
      operations
        .map(({ outcome }) => outcome as Acknowledged)
        .every((outcome) => outcome.region === region && outcome.level === 'region'),
    );
    const tokens = new Map(doubtful.map(([id, [first]]) => [id, (first!.outcome as Acknowledged).token]));
    const words = [...journal.words.values()].filter(({ seenAt }) => seenAt >= since);
    const names = new Set(words.map(({ document }) => document));
    const scopes = new Set<string>();
    for (const entry of [...tokens.values()].flat())
      if ('document' in entry) names.add(entry.document);
      else scopes.add(entry.scope);
    const witnesses = await Promise.all(others.map((other) => Witness.of(other, [...names], [...scopes])));
    for (const [id, token] of tokens)
      if (!witnesses.some((witness) => witness.holds(token))) this.#at.set(id, now);
    for (const { word, document } of words)
      if (!witnesses.some((witness) => witness.hasWord(document, word))) this.#at.set(word, now);
  }
}

/** What one region holds of some names. */
class Witness {
  readonly #documents: ReadonlyMap<string, Y.Doc>;
  readonly #cells: ReadonlyMap<string, string>;

  private constructor(documents: ReadonlyMap<string, Y.Doc>, cells: ReadonlyMap<string, string>) {
    this.#documents = documents;
    this.#cells = cells;
  }

  static async of(
    database: RegionDatabase,
    names: readonly string[],
    scopes: readonly string[],
  ): Promise<Witness> {
    const documents = await database.documents(names.filter(isDocument));
    const cells = await database.cells(scopes);
    return new Witness(documents, new Map(cells.map(({ scope, key, v }) => [`${scope} ${key}`, v])));
  }

  holds(token: Token): boolean {
    return token.every((entry) =>
      'document' in entry
        ? Y.getState(this.#documents.get(entry.document)!.store, entry.client) >= entry.clock
        : (this.#cells.get(`${entry.scope} ${entry.key}`) ?? '') >= entry.v,
    );
  }

  hasWord(document: string, word: string): boolean {
    return this.#documents.get(document)!.getArray<string>('words').toArray().includes(word);
  }
}
