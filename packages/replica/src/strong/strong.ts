import {
  CausewayError,
  ERRORS,
  changeId,
  changesName,
  digestOf,
  encodeEntry,
  encodeTalk,
  parseName,
  readAnswer,
  readQuestion,
  type ChangeCommand,
  type DirectoryRecord,
  type Done,
  type ErrorCode,
  type Head,
  type Talk,
  type Version,
} from '@causeway/protocol';
import type { Notice } from '../notice.ts';
import { BusDown, type Bus, type Random, type Store, type Time } from '../ports.ts';
import { CatchUp } from './catch-up.ts';
import { answerTalk } from './desk.ts';
import { FirstRegionDirectory } from './first-region-directory.ts';
import { StrongLog } from './log.ts';
import type { Directory, Founding } from './ports.ts';
import { NotHome, Proposer, noDirectory } from './proposer.ts';
import type { Applied, WorkspaceState } from './state.ts';
import { TakingUp } from './taking-up.ts';

export type StrongParts = {
  region: string;
  /** The regions of the zone, this one included. */
  regions: readonly string[];
  bus: Bus;
  store: Store;
  time: Time;
  random: Random;
  /** The workspaces of the zone. */
  workspaces: readonly Founding[];
  /** What decides; the first region of the zone does when there is none. */
  directory?: Directory;
};

export type StrongEvents = {
  /** A version was decided here: to be published. */
  decided(version: Version): void;
  notice(notice: Notice): void;
};

/** How often a process looks what others of its region applied, and one of them at the directory. */
const LOOK_MS = 1_000;
/** Without the directory peers are asked how far they are, every so many looks. */
const LOOKS_WITHOUT = 5;
/** A request is tried again for this long when home moves, or is busy. */
const REQUEST_MS = 8_000;
const AGAIN_MS = 200;
/** A workspace that changes meanwhile is looked at again, so often. */
const CONFIRMATIONS = 5;
/** Requests of other regions under way at once; the bus answers four questions at a time, and the others have to go on. */
const FORWARDED = 2;

/**
 * The strong half of a zone's workspaces in one process: what is in force, requests for changes, and
 * keeping up with what was decided elsewhere.
 *
 * Messages never wait for any of it. Without the directory, or without a peer that keeps a copy, requests
 * reject with `no-directory` or `no-peer`, and what is in force stays in force.
 */
export class Strong {
  readonly #parts: StrongParts;
  readonly #events: StrongEvents;
  readonly #log: StrongLog;
  readonly #directory: Directory;
  readonly #standIn: FirstRegionDirectory | undefined;
  readonly #catchUp: CatchUp;
  readonly #proposer: Proposer;
  readonly #workspaces: ReadonlySet<string>;
  /** Catching up, by workspace; with the highest version that was heard of meanwhile. */
  readonly #bringing = new Map<string, { next: { target: Head; given: Version[] } | undefined }>();
  #forwarded = 0;

  constructor(parts: StrongParts, events: StrongEvents) {
    const { region, regions, bus, store, workspaces: foundings } = parts;
    const peers = regions.filter((peer) => peer !== region);
    this.#parts = parts;
    this.#events = events;
    this.#workspaces = new Set(foundings.map(({ id }) => id));
    this.#log = new StrongLog(store, foundings, (version) => this.#tell(version));
    const ofZone = { region, regions, bus, store, foundings };
    this.#standIn = parts.directory === undefined ? new FirstRegionDirectory(ofZone) : undefined;
    this.#directory = this.#standIn ?? new TakingUp(parts.directory!, ofZone);
    this.#catchUp = new CatchUp({ log: this.#log, store, bus, peers });
    this.#proposer = new Proposer({
      ...parts,
      peers,
      log: this.#log,
      directory: this.#directory,
      record: (workspace) => this.#recordReached(workspace),
      decided: events.decided,
    });
  }

  /** What is in force here. Rejects with `not-found`, and with the store's error before it was read once. */
  state(workspace: string): Promise<WorkspaceState> {
    return this.#log.state(workspace);
  }

  /**
   * What is in force as the directory says now: nothing is missing of it that was answered before this was asked.
   * Rejects with `no-directory`, and with `not-ready` while this region does not have it yet.
   */
  async confirmed(workspace: string): Promise<WorkspaceState> {
    for (let tries = 1; tries <= CONFIRMATIONS; tries++) {
      const record = await this.#recordReached(workspace);
      // Who read it from a leader that is one no more could read what was true once; a decision needs the majority.
      if (await this.#directory.compareAndSet(workspace, record, record).catch(noDirectory))
        return this.#log.state(workspace);
    }
    throw busy();
  }

  /** The home region of a workspace as the directory says now; rejects with `no-directory`. */
  async home(workspace: string): Promise<string> {
    return (await this.#record(workspace)).home;
  }

  /** Calls `listener` with what comes into force here from now on, until the returned function is called. */
  watch(workspace: string, listener: (applied: readonly Applied[]) => void): () => void {
    return this.#log.watch(workspace, listener);
  }

  /**
   * Has a change made, once, however often and wherever it is asked for; resolves when it is in force in
   * the home region, and here as far as that could be had at once. `ifVersion`: only while the workspace is
   * at that version. Rejects with a CausewayError; after `no-directory` and `not-ready` it may have been made.
   */
  async request(command: ChangeCommand, ifVersion?: number): Promise<Done> {
    const { region, time, store } = this.#parts;
    const { workspace } = command;
    const { head } = await this.#log.state(workspace);
    const repeated = await store.versionOf(workspace, changeId(command));
    if (repeated !== undefined) return { id: changeId(command), version: repeated, head };
    const until = time.now() + REQUEST_MS;
    for (;;) {
      const { home } = await this.#record(workspace);
      try {
        return home === region
          ? await this.#proposer.propose(command, ifVersion)
          : await this.#forward(home, command, ifVersion);
      } catch (error) {
        if (!isPassing(error) || time.now() >= until) throw notReadyUnlessKnown(error);
      }
      await time.sleep(AGAIN_MS);
    }
  }

  /**
   * Makes another region of the zone the home of a workspace: one compare-and-set, no lease to wait for.
   * What the old one proposes on the old record fails, whenever it wakes.
   */
  async moveHome(workspace: string, home: string): Promise<void> {
    if (!this.#parts.regions.includes(home))
      throw new CausewayError('invalid-request', `${home} is no region of this zone`);
    const record = await this.#record(workspace);
    const next = { ...record, epoch: record.epoch + 1, home };
    const isTaken = await this.#directory.compareAndSet(workspace, record, next).catch(noDirectory);
    if (!isTaken) throw new CausewayError('version-moved', 'the workspace changed meanwhile; look again');
  }

  /** What other processes of this region told: what is applied is in the store. */
  hear(messages: readonly { name: string }[]): void {
    for (const name of new Set(messages.map(({ name }) => name))) {
      const parsed = parseName(name);
      if (parsed?.kind !== 'workspace' || parsed.part !== 'changes') continue;
      // Otherwise the next look finds it.
      if (this.#workspaces.has(parsed.workspace)) this.#log.read(parsed.workspace).catch(() => undefined);
    }
  }

  /** A peer published that this version is in force there. */
  learn(version: Version): void {
    const head = { version: version.version, digest: digestOf(version) };
    if (this.#workspaces.has(version.workspace)) this.#bring(version.workspace, head, [version]);
  }

  /** In every process: reads what others of the region applied, until the signal fires; never rejects. */
  async follow(signal: AbortSignal): Promise<void> {
    const { store, time } = this.#parts;
    while (!signal.aborted && this.#workspaces.size > 0) {
      try {
        for (const { workspace, version } of await store.strongHeads())
          if (this.#workspaces.has(workspace) && (await this.#log.state(workspace)).version < version)
            await this.#log.read(workspace);
      } catch {
        // A database that does not answer is noticed by those who need it.
      }
      await time.sleep(LOOK_MS, signal);
    }
  }

  /** In one process of the region: catches up with the directory, until the signal fires; never rejects. */
  async keepUp(signal: AbortSignal): Promise<void> {
    let without = 0;
    while (!signal.aborted && this.#workspaces.size > 0) {
      try {
        const records = await this.#directory.read([...this.#workspaces]);
        for (const [workspace, record] of records) this.#bring(workspace, record);
        without = 0;
      } catch {
        if (without++ % LOOKS_WITHOUT === 0) await this.#askPeers();
      }
      await this.#parts.time.sleep(LOOK_MS, signal);
    }
  }

  /** What another region asks. */
  answer(talk: Talk, question: Uint8Array): Promise<Uint8Array> {
    const parts = {
      store: this.#parts.store,
      workspaces: this.#workspaces,
      change: (asked: Uint8Array) => this.#answerChange(asked),
      directory: (asked: Uint8Array) => this.#answerDirectory(asked),
    };
    return answerTalk(parts, talk, question);
  }

  #answerDirectory(asked: Uint8Array): Promise<Uint8Array> {
    if (this.#standIn === undefined) throw new Error('a directory of its own decides here');
    return this.#standIn.answer(asked);
  }

  async #record(workspace: string): Promise<DirectoryRecord> {
    const records = await this.#directory.read([workspace]).catch(noDirectory);
    return records.get(workspace) ?? noDirectory();
  }

  /** The record as it is, when this region has applied all that it stands for. */
  async #recordReached(workspace: string): Promise<DirectoryRecord> {
    const record = await this.#record(workspace);
    if (await this.#catchUp.to(workspace, record)) return record;
    throw new CausewayError(
      'not-ready',
      `this region does not have version ${record.version} of the workspace yet; try again`,
      { retryAfter: 1 },
    );
  }

  async #forward(home: string, command: ChangeCommand, ifVersion: number | undefined): Promise<Done> {
    const question = encodeTalk({ command, ...(ifVersion === undefined ? {} : { ifVersion }) });
    const asking = this.#parts.bus.ask(home, 'change', question);
    const answer = readAnswer('change', await asking.catch(noHome));
    if ('problem' in answer) throw errorOf(answer.problem);
    // Decided it is; that it can be read here too is better, but no reason to refuse.
    await this.#catchUp.to(command.workspace, answer.done.head).catch(() => false);
    return answer.done;
  }

  async #answerChange(question: Uint8Array): Promise<Uint8Array> {
    const { command, ifVersion } = readQuestion('change', question);
    if (this.#forwarded >= FORWARDED) return encodeTalk({ problem: problemOf(busy()) });
    this.#forwarded++;
    try {
      return encodeTalk({ done: await this.#proposer.propose(command, ifVersion) });
    } catch (error) {
      return encodeTalk({ problem: problemOf(notReadyUnlessKnown(error)) });
    } finally {
      this.#forwarded--;
    }
  }

  /** Catches up in the background, one workspace at a time with itself. */
  #bring(workspace: string, target: Head, given: Version[] = []): void {
    const under = this.#bringing.get(workspace);
    if (under === undefined) void this.#bringAll(workspace, { target, given });
    else if (under.next === undefined || under.next.target.version < target.version)
      under.next = { target, given };
  }

  async #bringAll(workspace: string, first: { target: Head; given: Version[] }): Promise<void> {
    const under: { next: typeof first | undefined } = { next: first };
    this.#bringing.set(workspace, under);
    while (under.next !== undefined) {
      const { target, given } = under.next;
      under.next = undefined;
      const isThere = await this.#catchUp.to(workspace, target, given).catch(() => false);
      if (!isThere) this.#events.notice({ what: 'changes-missing', version: target.version });
    }
    this.#bringing.delete(workspace);
  }

  async #askPeers(): Promise<void> {
    const { region, regions, bus } = this.#parts;
    const asking = regions
      .filter((peer) => peer !== region)
      .map(async (peer) => {
        for (const { workspace, ...head } of readAnswer(
          'heads',
          await bus.ask(peer, 'heads', encodeTalk({})),
        ))
          if (this.#workspaces.has(workspace)) this.#bring(workspace, head);
      });
    await Promise.allSettled(asking);
  }

  #tell(version: Version): void {
    const bytes = encodeEntry({ kind: 'change', version });
    this.#parts.bus.tell([{ name: changesName(version.workspace), bytes }]);
  }
}

const busy = (): CausewayError => new CausewayError('not-ready', 'the home region is busy; try again');

/** What trying again may mend, and did nothing. */
const isPassing = (error: unknown): boolean =>
  error instanceof NotHome || (error instanceof CausewayError && error.code === 'not-ready');

function noHome(error: unknown): never {
  if (!(error instanceof BusDown)) throw error;
  throw new CausewayError(
    'no-peer',
    'the home region of the workspace does not answer, which proposes its changes; messages go on, try again later',
    { retryAfter: 5 },
  );
}

const notReadyUnlessKnown = (error: unknown): unknown =>
  error instanceof NotHome
    ? new CausewayError('not-ready', 'the workspace moves to another home; try again', { retryAfter: 1 })
    : error;

const problemOf = (error: unknown): { code: ErrorCode; detail: string; retryAfter?: number } => {
  if (!(error instanceof CausewayError))
    return { code: 'not-ready', detail: 'the home region could not carry it out; try again', retryAfter: 1 };
  const { code, message: detail, retryAfter } = error;
  return { code, detail, ...(retryAfter === undefined ? {} : { retryAfter }) };
};

const errorOf = ({ code, detail, retryAfter }: { code: string; detail: string; retryAfter?: number }) =>
  new CausewayError(
    Object.hasOwn(ERRORS, code) ? (code as ErrorCode) : 'internal',
    detail,
    retryAfter === undefined ? {} : { retryAfter },
  );
