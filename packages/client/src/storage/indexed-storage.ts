import { deleteDB, openDB, type DBSchema, type IDBPDatabase } from 'idb';
import { Holds } from './holds.ts';
import { SHELVES, type Change, type Shelf, type Storage } from './storage.ts';

type Schema = DBSchema & Record<Shelf, { key: string; value: Uint8Array }>;
type Locks = Pick<LockManager, 'request'>;

const VERSION = 1;

/**
 * IndexedDB and, for holding, Web Locks: the browser lets go of a lock with its tab, however that
 * ends. A database that cannot be opened is put out of the way once and made anew.
 */
export class IndexedStorage implements Storage {
  readonly #name: string;
  readonly #locks: Locks | undefined;
  /** Without Web Locks (a page that is no secure context) tabs are not told apart. */
  readonly #holds = new Holds();
  #database: Promise<IDBPDatabase<Schema>>;

  private constructor(name: string, locks: Locks | undefined, database: IDBPDatabase<Schema>) {
    this.#name = name;
    this.#locks = locks;
    this.#database = Promise.resolve(database);
  }

  static async open(
    name: string,
    locks: Locks | undefined = globalThis.navigator?.locks,
  ): Promise<IndexedStorage> {
    return new IndexedStorage(name, locks, await openOrRenew(name));
  }

  async keys(shelf: Shelf, prefix: string): Promise<string[]> {
    return this.#with((database) => database.getAllKeys(shelf, rangeOf(prefix)));
  }

  async read(shelf: Shelf, prefix: string): Promise<[string, Uint8Array][]> {
    return this.#with(async (database) => {
      const { store } = database.transaction(shelf);
      const [keys, values] = await Promise.all([
        store.getAllKeys(rangeOf(prefix)),
        store.getAll(rangeOf(prefix)),
      ]);
      return keys.map((key, at) => [key, values[at]!]);
    });
  }

  async write(shelf: Shelf, { put = [], remove = [] }: Change): Promise<void> {
    await this.#with(async (database) => {
      // Chromium and Firefox may answer before the disk has it; a message is worth the wait.
      const transaction = database.transaction(shelf, 'readwrite', { durability: 'strict' });
      const { store } = transaction;
      await Promise.all([
        ...put.map(([key, value]) => store.put(value, key)),
        ...remove.map((key) => store.delete(key)),
        transaction.done,
      ]);
    });
  }

  hold(name: string, options: { wait: boolean; signal: AbortSignal }): Promise<(() => void) | undefined> {
    if (this.#locks === undefined) return this.#holds.hold(name, options);
    const { wait, signal } = options;
    const held = Promise.withResolvers<(() => void) | undefined>();
    // The callback's promise is how long the lock is held.
    const request = this.#locks.request(
      `${this.#name}|${name}`,
      wait ? { signal } : { ifAvailable: true },
      (lock) => {
        if (lock === null) return held.resolve(undefined);
        const { promise, resolve } = Promise.withResolvers<void>();
        held.resolve(resolve);
        return promise;
      },
    );
    request.catch((cause: unknown) =>
      signal.aborted ? held.resolve(undefined) : held.reject(cause as Error),
    );
    return held.promise;
  }

  async close(): Promise<void> {
    (await this.#database).close();
  }

  /** Browsers close a database when they need its space or their user clears it; then it is opened again, once. */
  async #with<T>(work: (database: IDBPDatabase<Schema>) => Promise<T>): Promise<T> {
    try {
      return await work(await this.#database);
    } catch (cause) {
      if ((cause as Error).name !== 'InvalidStateError') throw cause;
      this.#database = open(this.#name);
      return work(await this.#database);
    }
  }
}

/** `undefined` where the browser keeps nothing: private windows, blocked storage, a newer page's database. */
export const openBrowserStorage = (name: string): Promise<Storage | undefined> =>
  IndexedStorage.open(name).catch(() => undefined);

/** All keys that begin with `prefix`; keys are ids and `|`, all below U+FFFF. */
const rangeOf = (prefix: string): IDBKeyRange => IDBKeyRange.bound(prefix, `${prefix}\uFFFF`);

function open(name: string): Promise<IDBPDatabase<Schema>> {
  return openDB<Schema>(name, VERSION, {
    upgrade(database) {
      for (const shelf of SHELVES)
        if (!database.objectStoreNames.contains(shelf)) database.createObjectStore(shelf);
    },
    // Another tab wants to delete or upgrade it; ours opens it again when it is needed.
    blocking: (_current, _blocked, event) => (event.target as IDBDatabase).close(),
  });
}

async function openOrRenew(name: string): Promise<IDBPDatabase<Schema>> {
  try {
    const database = await open(name);
    if (SHELVES.every((shelf) => database.objectStoreNames.contains(shelf))) return database;
    database.close();
  } catch (cause) {
    // One made by a newer version of us is not broken, and no private window gets one.
    if (['VersionError', 'SecurityError'].includes((cause as Error).name)) throw cause;
  }
  await deleteDB(name);
  return open(name);
}
