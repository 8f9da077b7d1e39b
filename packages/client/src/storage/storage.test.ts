import 'fake-indexeddb/auto';
import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { deleteDB, openDB } from 'idb';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FileStorage } from './file-storage.ts';
import { Holds } from './holds.ts';
import { IndexedStorage } from './indexed-storage.ts';
import { MemoryStorage } from './memory-storage.ts';
import { storageContract } from './storage-contract.ts';

const tries = async (storage: FileStorage): Promise<boolean> =>
  (await storage.hold('lane', { wait: false, signal: new AbortController().signal })) !== undefined;

describe('memory', () => {
  let storage: MemoryStorage;
  beforeEach(() => void (storage = new MemoryStorage()));
  storageContract(async () => storage);
});

describe('IndexedDB', () => {
  /** A browser's locks, as far as tabs of one storage use them. */
  let holds: Holds;
  const locks = {
    async request(name: string, options: LockOptions, work: (lock: Lock | null) => unknown) {
      const wait = options.ifAvailable !== true;
      const signal = options.signal ?? new AbortController().signal;
      const release = await holds.hold(name, { wait, signal });
      if (release === undefined && wait) throw new DOMException('', 'AbortError');
      await work(release === undefined ? null : { name, mode: 'exclusive' });
      release?.();
    },
  } as unknown as LockManager;
  const open = () => IndexedStorage.open('causeway', locks);

  beforeEach(async () => {
    holds = new Holds();
    await deleteDB('causeway');
  });

  storageContract(open);

  test('a database of another shape is made anew', async () => {
    (
      await openDB('causeway', 1, { upgrade: (database) => void database.createObjectStore('other') })
    ).close();
    const storage = await open();
    await storage.write('outbox', { put: [['x', new Uint8Array([1])]] });
    expect(await storage.keys('outbox', '')).toEqual(['x']);
    await storage.close();
  });

  test('one made by a newer version is left alone', async () => {
    (
      await openDB('causeway', 9, { upgrade: (database) => void database.createObjectStore('other') })
    ).close();
    await expect(open()).rejects.toMatchObject({ name: 'VersionError' });
  });

  test('one that the browser closed is opened again', async () => {
    const storage = await open();
    await storage.write('outbox', { put: [['x', new Uint8Array([1])]] });
    await storage.close();
    expect(await storage.keys('outbox', '')).toEqual(['x']);
    await storage.close();
  });
});

describe('files', () => {
  let folder: string;
  beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'causeway-storage-'))));
  afterEach(() => rm(folder, { recursive: true, force: true }));
  const open = () => FileStorage.open(folder);
  const holdsOf = (pid: number, host = hostname()): Promise<void> =>
    writeFile(join(folder, 'holds', 'lane'), JSON.stringify({ host, pid }));

  storageContract(open);

  test('a process that is dead holds nothing; one that lives, here or on another machine, does', async () => {
    const storage = await open();
    await holdsOf(process.pid);
    expect(await tries(storage)).toBe(false);
    await holdsOf(1, 'elsewhere');
    expect(await tries(storage)).toBe(false);
    await holdsOf(2 ** 22 + 1);
    expect(await tries(storage)).toBe(true);
    await storage.close();
  });

  test('nor does one that was not heard of for long', async () => {
    const storage = await open();
    await holdsOf(process.pid);
    const long = new Date(Date.now() - 60_000);
    await utimes(join(folder, 'holds', 'lane'), long, long);
    expect(await tries(storage)).toBe(true);
    await storage.close();
  });

  test('a file that was not finished is no value, and is taken away after a while', async () => {
    await open();
    const half = join(folder, 'outbox', 'half.part');
    await writeFile(half, 'ha');
    expect(await (await open()).keys('outbox', '')).toEqual([]);
    const long = new Date(Date.now() - 120_000);
    await utimes(half, long, long);
    await open();
    expect(await readdir(join(folder, 'outbox'))).toEqual([]);
  });
});
