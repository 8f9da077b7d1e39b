import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { pause } from '../backoff.ts';
import { SHELVES, type Change, type Shelf, type Storage } from './storage.ts';

/** Who holds a name says so this often; one that was not heard of for three times as long is gone, milliseconds. */
const RENEW_MS = 5_000;
const LEASE_MS = 3 * RENEW_MS;
const LOOK_MS = 1_000;

/**
 * A folder with a file for each value. A file is written beside its place, brought to the disk and
 * renamed, so whoever reads sees the old or the new one whole, after a power cut too.
 */
export class FileStorage implements Storage {
  readonly #folder: string;
  readonly #releases = new Set<() => void>();

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async open(folder: string): Promise<FileStorage> {
    for (const shelf of [...SHELVES, 'holds']) {
      await mkdir(join(folder, shelf), { recursive: true, mode: 0o700 });
      await sweep(join(folder, shelf));
    }
    return new FileStorage(folder);
  }

  async keys(shelf: Shelf, prefix: string): Promise<string[]> {
    const names = await readdir(join(this.#folder, shelf));
    return names
      .filter((name) => !name.endsWith(PART))
      .map(keyOf)
      .filter((key) => key !== undefined && key.startsWith(prefix))
      .sort() as string[];
  }

  async read(shelf: Shelf, prefix: string): Promise<[string, Uint8Array][]> {
    const found: [string, Uint8Array][] = [];
    for (const key of await this.keys(shelf, prefix)) {
      const value = await unlessGone(readFile(this.#place(shelf, key)));
      if (value !== undefined) found.push([key, new Uint8Array(value)]);
    }
    return found;
  }

  async write(shelf: Shelf, { put = [], remove = [] }: Change): Promise<void> {
    for (const [key, value] of put) await this.#replace(shelf, key, value);
    if (put.length > 0) await sync(join(this.#folder, shelf));
    for (const key of remove) await rm(this.#place(shelf, key), { force: true });
  }

  async hold(
    name: string,
    { wait, signal }: { wait: boolean; signal: AbortSignal },
  ): Promise<(() => void) | undefined> {
    const file = join(this.#folder, 'holds', encodeURIComponent(name));
    for (;;) {
      const release = await this.#tryHold(file);
      if (release !== undefined || !wait || signal.aborted) return release;
      await pause(LOOK_MS, signal);
      if (signal.aborted) return undefined;
    }
  }

  async close(): Promise<void> {
    for (const release of this.#releases) release();
  }

  /**
   * Two that find a dead holder in the same moment may both get it. What is held is who sends a
   * command, and sending one twice has the effect of once (R4).
   */
  async #tryHold(file: string): Promise<(() => void) | undefined> {
    if (await isGone(file)) await rm(file, { force: true });
    const holder = JSON.stringify({ host: hostname(), pid: process.pid });
    try {
      const handle = await open(file, 'wx', 0o600);
      await handle.writeFile(holder);
      await handle.close();
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return undefined;
      throw cause;
    }
    const renewing = setInterval(() => {
      const now = new Date();
      // One that cannot be renewed is taken by somebody else, as it should.
      utimes(file, now, now).catch(() => undefined);
    }, RENEW_MS).unref();
    const release = (): void => {
      if (!this.#releases.delete(release)) return;
      clearInterval(renewing);
      rm(file, { force: true }).catch(() => undefined);
    };
    this.#releases.add(release);
    return release;
  }

  async #replace(shelf: Shelf, key: string, value: Uint8Array): Promise<void> {
    const part = join(this.#folder, shelf, `${randomUUID()}${PART}`);
    const handle = await open(part, 'wx', 0o600);
    try {
      await handle.writeFile(value);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(part, this.#place(shelf, key));
  }

  #place(shelf: Shelf, key: string): string {
    return join(this.#folder, shelf, encodeURIComponent(key));
  }
}

const PART = '.part';

/** Takes away what a process did not bring to its end. */
async function sweep(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.endsWith(PART)) continue;
    const about = await unlessGone(stat(join(folder, name)));
    if (about !== undefined && Date.now() - about.mtimeMs > 60_000)
      await rm(join(folder, name), { force: true });
  }
}

/** A renamed file is on the disk when its folder is. */
async function sync(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** The process that held it is dead, or was not heard of for long: stopped, or of another machine. */
async function isGone(file: string): Promise<boolean> {
  const [text, about] = [await unlessGone(readFile(file, 'utf8')), await unlessGone(stat(file))];
  if (text === undefined || about === undefined) return false;
  if (Date.now() - about.mtimeMs > LEASE_MS) return true;
  const holder = /^\{"host":(".*"),"pid":(\d+)\}$/.exec(text);
  return holder !== null && JSON.parse(holder[1]!) === hostname() && !isAlive(Number(holder[2]));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function unlessGone<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw cause;
  }
}

/** The key that a file is named for; `undefined` for one that is not ours. */
function keyOf(name: string): string | undefined {
  try {
    return decodeURIComponent(name);
  } catch {
    return undefined;
  }
}
