import { CausewayError, channelOfCommand, commandId, type Ack, type Command } from '@causeway/protocol';
import { pause } from './backoff.ts';
import { Listeners } from './listeners.ts';
import { asCausewayError, isRetryable, waitMs } from './retryable.ts';
import { OutboxShelf, type KeptEntry } from './storage/outbox-shelf.ts';
import type { Storage } from './storage/storage.ts';

/** A command that no region has acknowledged. */
export type OutboxEntry = {
  /** The command's id; of a post also the message's. */
  readonly id: string;
  readonly command: Command;
  /** `waiting`: for those before it, or for the next attempt; `failed`: given up, for a person to decide. */
  readonly state: 'waiting' | 'sending' | 'failed';
  readonly attempts: number;
  /** Why the last attempt failed. */
  readonly error?: CausewayError;
  /** Milliseconds since 1970. */
  readonly addedAt: number;
  /** It survives a reload. */
  readonly isKept: boolean;
};

export type OutboxParts = {
  /** Sends a command; rejects with `CausewayError`. */
  send(command: Command, signal: AbortSignal): Promise<Ack>;
  /** A command is acknowledged; called before its entry leaves. */
  acknowledged(command: Command, ack: Ack): void;
  /** From 0 to 1. */
  random(): number;
  /** Milliseconds since 1970. */
  now(): number;
  /** Where commands survive this object; without it they do not. `account` and `lane` as in `OutboxShelf`. */
  keep?: { storage: Storage; account: string; lane: string };
};

type Answer = PromiseWithResolvers<Ack>;

/** Commands that may wait; one more is refused with `rate-limited`. */
export const OUTBOX_ENTRIES = 1_000;

/**
 * Commands wait here until a region acknowledges them: in order within a channel, repeated
 * unchanged as long as a repeat can help (R4), given up with the region's error when it cannot.
 * Each is kept before it is sent, and sent by the next client if this one is gone. Where nothing
 * can be kept it is sent all the same, and says so.
 */
export class Outbox {
  readonly #parts: OutboxParts;
  readonly #entries = new Map<string, OutboxEntry>();
  readonly #answers = new Map<string, Answer>();
  readonly #busy = new Set<string>();
  readonly #listeners = new Listeners();
  readonly #closed = new AbortController();
  #awake = new AbortController();
  readonly #shelf: OutboxShelf | undefined;
  readonly #keeping = new Map<string, Promise<void>>();
  /** Until what was kept is here, or is known not to come: it goes before what is new. */
  #opening: Promise<void> | undefined;
  #snapshot: readonly OutboxEntry[] = [];

  constructor(parts: OutboxParts) {
    this.#parts = parts;
    if (parts.keep === undefined) return;
    this.#shelf = new OutboxShelf({
      ...parts.keep,
      room: () => Math.max(0, OUTBOX_ENTRIES - this.#entries.size),
      adopt: (entries) => this.#adopt(entries),
    });
    this.#opening = this.#shelf
      .look()
      .catch(() => undefined)
      .finally(() => (this.#opening = undefined));
  }

  /** Oldest first; the same array until something changes. */
  readonly getSnapshot = (): readonly OutboxEntry[] => this.#snapshot;
  readonly subscribe = (listener: () => void): (() => void) => this.#listeners.add(listener);

  /**
   * Takes a command and sends it when its turn comes. The promise may be left alone: what becomes
   * of the command is seen in the snapshot too. A command that waits already is not taken twice.
   */
  add(command: Command): Promise<Ack> {
    const id = commandId(command);
    const known = this.#answers.get(id);
    if (known !== undefined) return known.promise;
    const answer: Answer = Promise.withResolvers();
    answer.promise.catch(() => undefined);
    const refusal = this.#refusal();
    if (refusal !== undefined) {
      answer.reject(refusal);
      return answer.promise;
    }
    this.#supersede(command);
    this.#answers.set(id, answer);
    const addedAt = this.#parts.now();
    this.#put({ id, command, state: 'waiting', attempts: 0, addedAt, isKept: false });
    this.#keep(id, { command, addedAt });
    void this.#drain(laneOf(command));
    return answer.promise;
  }

  /** Sends a failed command again; `instead` takes its place when it was refused as it was. */
  retry(id: string, instead?: Command): Promise<Ack> | undefined {
    const entry = this.#entries.get(id);
    if (entry?.state !== 'failed') return undefined;
    this.discard(id);
    return this.add(instead ?? entry.command);
  }

  /** Forgets a failed command. */
  discard(id: string): void {
    if (this.#entries.get(id)?.state === 'failed') this.#remove(id);
  }

  /** Attempts at once what waits for its next attempt: the region can be reached again. */
  wake(): void {
    const sleeping = this.#awake;
    this.#awake = new AbortController();
    sleeping.abort();
  }

  /**
   * Stops. What waits is rejected with `not-committed`: nobody knows what became of it. What is kept
   * waits for the next client. The promise is for whoever closes the storage after this.
   */
  async close(): Promise<void> {
    this.#closed.abort();
    this.wake();
    this.#listeners.clear();
    for (const answer of this.#answers.values()) answer.reject(closedError());
    this.#answers.clear();
    this.#entries.clear();
    this.#snapshot = [];
    await Promise.all(this.#keeping.values());
    await this.#shelf?.close();
  }

  /** Of what only its last value counts, one that waits is enough: it is answered with what takes its place. */
  #supersede(command: Command): void {
    const slot = slotOf(command);
    if (slot === undefined) return;
    for (const { id, state, command: other } of this.#entries.values())
      if (state === 'waiting' && slotOf(other) === slot) {
        const before = this.#answers.get(id);
        this.#remove(id);
        before?.reject(new CausewayError('not-committed', 'a newer one took its place'));
      }
  }

  #refusal(): CausewayError | undefined {
    if (this.#closed.signal.aborted) return closedError();
    if (this.#entries.size < OUTBOX_ENTRIES) return undefined;
    const detail = `${OUTBOX_ENTRIES} commands wait to be sent; try again when the region answers`;
    return new CausewayError('rate-limited', detail);
  }

  /** One at a time per channel, so that an edit never overtakes what it edits. */
  async #drain(lane: string): Promise<void> {
    if (this.#busy.has(lane)) return;
    this.#busy.add(lane);
    try {
      if (this.#opening !== undefined) await this.#opening;
      for (;;) {
        const next = this.#next(lane);
        if (next === undefined || this.#closed.signal.aborted) return;
        const keeping = this.#keeping.get(next.id);
        if (keeping === undefined) await this.#attempt(next);
        else await keeping;
      }
    } finally {
      this.#busy.delete(lane);
    }
  }

  #next(lane: string): OutboxEntry | undefined {
    for (const entry of this.#entries.values())
      if (entry.state === 'waiting' && laneOf(entry.command) === lane) return entry;
    return undefined;
  }

  async #attempt({ id, command, attempts, addedAt, isKept }: OutboxEntry): Promise<void> {
    const signal = this.#closed.signal;
    const tried = { id, command, attempts: attempts + 1, addedAt, isKept };
    this.#put({ ...tried, state: 'sending' });
    try {
      const ack = await this.#parts.send(command, signal);
      if (signal.aborted) return;
      this.#parts.acknowledged(command, ack);
      const answer = this.#answers.get(id);
      this.#remove(id);
      answer?.resolve(ack);
    } catch (cause) {
      if (signal.aborted) return;
      const error = asCausewayError(cause);
      if (!isRetryable(error)) {
        this.#put({ ...tried, state: 'failed', error });
        this.#keep(id, { command, addedAt, failed: error });
        this.#answers.get(id)?.reject(error);
        this.#answers.delete(id);
        return;
      }
      this.#put({ ...tried, state: 'waiting', error });
      await pause(waitMs(error, tried.attempts, this.#parts.random), this.#awake.signal);
    }
  }

  /** What others left goes before what is new. */
  #adopt(kept: readonly KeptEntry[]): void {
    const adopted = kept.map(({ command, addedAt, failed }): [string, OutboxEntry] => {
      const id = commandId(command);
      const entry = { id, command, attempts: 0, addedAt, isKept: true };
      return [
        id,
        failed === undefined ? { ...entry, state: 'waiting' } : { ...entry, state: 'failed', error: failed },
      ];
    });
    const mine = [...this.#entries];
    this.#entries.clear();
    for (const [id, entry] of [...adopted, ...mine]) this.#entries.set(id, entry);
    this.#changed();
    for (const [, { command }] of adopted) void this.#drain(laneOf(command));
  }

  #keep(id: string, entry: KeptEntry): void {
    if (this.#shelf === undefined) return;
    const kept = (isKept: boolean): void => {
      this.#keeping.delete(id);
      const now = this.#entries.get(id);
      if (now !== undefined && now.isKept !== isKept) this.#put({ ...now, isKept });
    };
    this.#keeping.set(
      id,
      this.#shelf.keep(id, entry).then(
        () => kept(true),
        () => kept(false),
      ),
    );
  }

  #put(entry: OutboxEntry): void {
    this.#entries.set(entry.id, entry);
    this.#changed();
  }

  #remove(id: string): void {
    this.#entries.delete(id);
    this.#answers.delete(id);
    // One that stays is sent again by the next client, and has the effect of one (R4).
    this.#shelf?.forget(id).catch(() => undefined);
    this.#changed();
  }

  #changed(): void {
    this.#snapshot = [...this.#entries.values()];
    this.#listeners.tell();
  }
}

/** What a command sets as a whole, if a newer one makes an older one pointless. */
function slotOf(command: Command): string | undefined {
  switch (command.kind) {
    case 'draft':
      return `draft|${command.channel}|${command.thread ?? ''}`;
    case 'availability':
      return 'availability';
    default:
      return undefined;
  }
}

/** What is in order: everything about one channel but what stands for itself. */
const laneOf = (command: Command): string => slotOf(command) ?? channelOfCommand(command) ?? '';

const closedError = (): CausewayError =>
  new CausewayError('not-committed', 'the client was closed before the write was confirmed');
