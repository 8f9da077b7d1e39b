import { CausewayError, ERRORS, commandId, type Command, type ErrorCode } from '@causeway/protocol';
import type { Storage } from './storage.ts';

/** A command as it is kept; `failed` is why it was given up. */
export type KeptEntry = { command: Command; addedAt: number; failed?: CausewayError };

export type OutboxShelfParts = {
  storage: Storage;
  /** Whose commands: `<workspace>|<member>`. */
  account: string;
  /** This client's own, 22 characters or fewer of an id's alphabet. */
  lane: string;
  /** How many more commands the client takes. */
  room(): number;
  /** Commands that were somebody else's, oldest first; they are kept already. */
  adopt(entries: readonly KeptEntry[]): void;
};

/** How often a client looks for commands of others that are gone, milliseconds. */
const LOOK_MS = 15_000;
/** What could not be read is kept for whoever wants to look at it, so many values of an account. */
const ASIDE = 100;

/**
 * The kept commands of one account. Each client, tab or process, writes in a lane of its own and
 * holds it; the commands of a lane that nobody holds go over to the first one that comes by, in
 * their order. A command that is in two lanes for a moment is still one command (R4).
 */
export class OutboxShelf {
  readonly #parts: OutboxShelfParts;
  readonly #closed = new AbortController();
  readonly #numbers = new Map<string, number>();
  readonly #release: Promise<(() => void) | undefined>;
  readonly #timer: ReturnType<typeof setInterval>;
  #looking: Promise<void> = Promise.resolve();
  /** Changes that no transaction has taken yet: what waits while one is under way goes into the next. */
  readonly #pending = new Map<string, Uint8Array | undefined>();
  #batch: Promise<void> | undefined;
  #writing: Promise<void> = Promise.resolve();
  #last = 0;

  constructor(parts: OutboxShelfParts) {
    this.#parts = parts;
    const { signal } = this.#closed;
    this.#release = parts.storage.hold(this.#holdOf(parts.lane), { wait: true, signal });
    // Whoever awaits it hears of it.
    this.#release.catch(() => undefined);
    this.#timer = setInterval(() => this.look().catch(() => undefined), LOOK_MS);
  }

  /** Takes over what nobody holds. Rejects when the storage does not answer. */
  look(): Promise<void> {
    this.#looking = this.#looking.catch(() => undefined).then(() => this.#look());
    return this.#looking;
  }

  /** Keeps a command at the end of the lane, or what became of it in its place. */
  keep(id: string, entry: KeptEntry): Promise<void> {
    let number = this.#numbers.get(id);
    if (number === undefined) this.#numbers.set(id, (number = ++this.#last));
    this.#pending.set(this.#keyOf(id), encode(number, entry));
    return this.#flush();
  }

  forget(id: string): Promise<void> {
    this.#numbers.delete(id);
    this.#pending.set(this.#keyOf(id), undefined);
    return this.#flush();
  }

  /** Lets go of the lane; what is kept in it goes to the next client of the account. */
  async close(): Promise<void> {
    this.#closed.abort();
    clearInterval(this.#timer);
    await Promise.allSettled([this.#looking, this.#batch, this.#writing]);
    (await this.#release.catch(() => undefined))?.();
  }

  #flush(): Promise<void> {
    return (this.#batch ??= this.#writing
      .catch(() => undefined)
      .then(() => this.#release)
      .then(() => {
        const changes = [...this.#pending];
        this.#pending.clear();
        this.#batch = undefined;
        this.#writing = this.#parts.storage.write('outbox', {
          put: changes.filter((change): change is [string, Uint8Array] => change[1] !== undefined),
          remove: changes.filter(([, value]) => value === undefined).map(([key]) => key),
        });
        return this.#writing;
      }));
  }

  async #look(): Promise<void> {
    const { storage, account, lane } = this.#parts;
    await this.#release;
    const keys = await storage.keys('outbox', `${account}|`);
    const lanes = new Set(keys.map(laneOf).filter((each) => each !== lane));
    for (const each of lanes) {
      if (this.#closed.signal.aborted) return;
      const release = await storage.hold(this.#holdOf(each), { wait: false, signal: this.#closed.signal });
      if (release === undefined) continue;
      try {
        await this.#adopt(each);
      } finally {
        release();
      }
    }
  }

  async #adopt(lane: string): Promise<void> {
    const { storage, account, room, adopt } = this.#parts;
    const read = await storage.read('outbox', `${account}|${lane}|`);
    const kept = read.map(([key, value]) => ({ key, value, held: decode(value, idOf(key)) }));
    await this.#putAside(kept.filter(({ held }) => held === undefined));
    const whole = kept
      .filter((each): each is typeof each & { held: Held } => each.held !== undefined)
      .sort((a, b) => a.held.number - b.held.number);
    const taken = whole.slice(0, room());
    if (taken.length === 0) return;
    await storage.write('outbox', {
      put: taken.map(({ key, held }) => {
        const number = ++this.#last;
        this.#numbers.set(idOf(key), number);
        return [this.#keyOf(idOf(key)), encode(number, held.entry)];
      }),
      remove: taken.map(({ key }) => key),
    });
    if (!this.#closed.signal.aborted) adopt(taken.map(({ held }) => held.entry));
  }

  /** So that what nobody can read is looked at once, and stops nobody. */
  async #putAside(broken: readonly { key: string; value: Uint8Array }[]): Promise<void> {
    if (broken.length === 0) return;
    const { storage, account } = this.#parts;
    const before = await storage.keys('aside', `${account}|`);
    await storage.write('aside', {
      put: broken.slice(0, Math.max(0, ASIDE - before.length)).map(({ key, value }) => [key, value]),
    });
    await storage.write('outbox', { remove: broken.map(({ key }) => key) });
  }

  #keyOf(id: string): string {
    return `${this.#parts.account}|${this.#parts.lane}|${id}`;
  }

  #holdOf(lane: string): string {
    return `outbox|${this.#parts.account}|${lane}`;
  }
}

const laneOf = (key: string): string => key.split('|').at(-2) ?? '';
const idOf = (key: string): string => key.split('|').at(-1) ?? '';

type Held = { number: number; entry: KeptEntry };

function encode(number: number, { command, addedAt, failed }: KeptEntry): Uint8Array {
  const why = failed === undefined ? {} : { failed: { code: failed.code, detail: failed.message } };
  return new TextEncoder().encode(JSON.stringify({ number, command, addedAt, ...why }));
}

/** What `encode` wrote; `undefined` for anything else, also when the command is not the one of that id. */
function decode(value: Uint8Array, id: string): Held | undefined {
  try {
    const { number, command, addedAt, failed } = JSON.parse(new TextDecoder().decode(value)) as {
      number: number;
      command: Command;
      addedAt: number;
      failed?: { code: ErrorCode; detail: string };
    };
    if (!Number.isFinite(number) || !Number.isFinite(addedAt) || commandId(command) !== id) return undefined;
    if (failed === undefined) return { number, entry: { command, addedAt } };
    const code = failed.code in ERRORS ? failed.code : 'internal';
    return { number, entry: { command, addedAt, failed: new CausewayError(code, failed.detail) } };
  } catch {
    return undefined;
  }
}
