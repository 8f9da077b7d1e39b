import {
  CausewayError,
  base64url,
  changeId,
  digestOf,
  encodeTalk,
  readAnswer,
  LIMITS,
  type Change,
  type ChangeCommand,
  type DirectoryRecord,
  type Done,
  type Version,
} from '@causeway/protocol';
import type { Bus, Random, Time } from '../ports.ts';
import type { StrongLog } from './log.ts';
import { sameRecord, type Directory, type StrongStore } from './ports.ts';
import { mayChange } from './rules.ts';
import type { WorkspaceState } from './state.ts';

export type ProposerParts = {
  region: string;
  peers: readonly string[];
  log: StrongLog;
  store: StrongStore;
  bus: Bus;
  directory: Directory;
  time: Time;
  random: Random;
  /** The record as it is now, with this region brought to it. Rejects with `no-directory` or `not-ready`. */
  record(workspace: string): Promise<DirectoryRecord>;
  /** A version was decided and is applied here. */
  decided(version: Version): void;
};

type Waiting = {
  id: string;
  command: ChangeCommand;
  /** The version that the member saw. */
  ifVersion: number | undefined;
  resolve(done: Done): void;
  reject(error: unknown): void;
};

/** Another region is home: the request goes there. */
export class NotHome extends Error {}

/** Requests that may wait for their turn, per workspace. */
const WAITING = 1_000;
/** Tries of a compare-and-set whose outcome is unknown, and the time between them, milliseconds. */
const TRIES = 5;
const AGAIN_MS = 100;
/** Rounds in which nobody could be answered, since another proposer was first, before it is given up. */
const ROUNDS = 20;

/**
 * What the home region does with requests: validates those that wait against the version in force, has the
 * next version prepared here and by one peer, and has the directory decide it. Any number of processes may
 * propose at once, also of a region that is home no longer: one compare-and-set wins.
 */
export class Proposer {
  readonly #parts: ProposerParts;
  readonly #waiting = new Map<string, Waiting[]>();
  /** Prepared, and nobody can say yet whether it is decided: it is tried again before anything else. */
  readonly #undecided = new Map<string, Version>();

  constructor(parts: ProposerParts) {
    this.#parts = parts;
  }

  /** Resolves when the change is in force here. Rejects with NotHome, or with a CausewayError. */
  propose(command: ChangeCommand, ifVersion: number | undefined): Promise<Done> {
    const { workspace } = command;
    return new Promise((resolve, reject) => {
      const waiting = this.#waiting.get(workspace);
      const one = { id: changeId(command), command, ifVersion, resolve, reject };
      if (waiting === undefined) {
        this.#waiting.set(workspace, [one]);
        void this.#work(workspace);
      } else if (waiting.length < WAITING) waiting.push(one);
      else reject(new CausewayError('not-ready', 'too many changes wait; try again', { retryAfter: 1 }));
    });
  }

  /** One round after the other until nobody waits. */
  async #work(workspace: string): Promise<void> {
    const waiting = this.#waiting.get(workspace)!;
    let rounds = 0;
    while (waiting.length > 0) {
      const taken = waiting.splice(0, LIMITS.changesPerVersion);
      try {
        const left = await this.#round(workspace, taken);
        rounds = left.length < taken.length ? 0 : rounds + 1;
        if (rounds > ROUNDS) throw new CausewayError('not-ready', 'others were first each time; try again');
        waiting.unshift(...left);
      } catch (error) {
        for (const { reject } of taken) reject(error);
      }
    }
    this.#waiting.delete(workspace);
  }

  /** Carries out what it can; returns those that have to be looked at again. */
  async #round(workspace: string, taken: readonly Waiting[]): Promise<Waiting[]> {
    const { region, log } = this.#parts;
    const record = await this.#parts.record(workspace);
    if (record.home !== region) throw new NotHome(record.home);
    const undecided = this.#undecided.get(workspace);
    if (undecided?.before === record.digest) {
      await this.#decide(undecided, record);
      return [...taken];
    }
    this.#undecided.delete(workspace);
    const state = await log.state(workspace);
    // Another process, or another region, went on meanwhile.
    if (state.version !== record.version) return [...taken];
    const { changes: draft, later } = await this.#draft(state.copy(), taken);
    if (draft.length === 0) return later;
    const version: Version = {
      workspace,
      version: record.version + 1,
      before: record.digest,
      salt: base64url(this.#parts.random.bytes(16)),
      changes: draft.map(({ change }) => change),
    };
    if (!(await this.#decide(version, record))) return [...draft.flatMap(({ of }) => of), ...later];
    const { head } = await log.state(workspace);
    for (const { of } of draft)
      for (const { id, resolve } of of) resolve({ id, version: version.version, head });
    return later;
  }

  /**
   * What of the requests can go together into the next version; the others are answered, or wait for the one
   * after. One that changes nothing is written down too: its repeat must not do later what it did not do (R4).
   */
  async #draft(
    state: WorkspaceState,
    taken: readonly Waiting[],
  ): Promise<{ changes: { change: Change; of: Waiting[] }[]; later: Waiting[] }> {
    const { store, time } = this.#parts;
    const { head } = state;
    const drafted = new Map<string, { change: Change; of: Waiting[] }>();
    const later: Waiting[] = [];
    for (const one of taken) {
      const { id, command, ifVersion } = one;
      try {
        const repeated = await store.versionOf(state.workspace, id);
        if (repeated !== undefined) one.resolve({ id, version: repeated, head });
        else if (drafted.has(id)) drafted.get(id)!.of.push(one);
        else if (ifVersion !== undefined && ifVersion !== head.version) one.reject(moved(head.version));
        // What it saw is about to be changed: it is refused in the next round.
        else if (ifVersion !== undefined && drafted.size > 0) later.push(one);
        else {
          mayChange(state, command);
          const change = { id, by: command.member, at: time.now(), deed: command.deed };
          state.change(change);
          drafted.set(id, { change, of: [one] });
        }
      } catch (error) {
        // What depends on changes that are not decided yet shares their fate (R2).
        if (drafted.size > 0) later.push(one);
        else one.reject(error);
      }
    }
    return { changes: [...drafted.values()], later };
  }

  /** Has the version decided and applies it; false when another one was. Rejects with `no-peer` or `no-directory`. */
  async #decide(version: Version, record: DirectoryRecord): Promise<boolean> {
    const { workspace } = version;
    const { store, log, decided } = this.#parts;
    if (!(await store.prepare(version))) return false;
    if (!(await this.#prepareElsewhere(version))) return false;
    this.#undecided.set(workspace, version);
    const isDecided = await this.#compareAndSet(version, record);
    this.#undecided.delete(workspace);
    if (!isDecided) return false;
    await log.append(version);
    decided(version);
    return true;
  }

  /**
   * One peer that keeps it too is enough; all are asked, since who is cut off takes seconds to show. False
   * when a peer is past this number, and none keeps it.
   */
  async #prepareElsewhere(version: Version): Promise<boolean> {
    const { peers, bus } = this.#parts;
    if (peers.length === 0) return true;
    const question = encodeTalk({ version });
    let isPast = false;
    const asking = peers.map(async (peer) => {
      const isKept = readAnswer('prepare', await bus.ask(peer, 'prepare', question));
      isPast ||= !isKept;
      if (!isKept) throw new Error(`${peer} is past it`);
      return true;
    });
    return Promise.any(asking).catch(() => {
      if (isPast) return false;
      throw new CausewayError(
        'no-peer',
        'no other region of the zone keeps a copy of the change at the moment; messages go on, try again later',
        { retryAfter: 5 },
      );
    });
  }

  /**
   * The decision (R7). Any answer but "taken" says nothing by itself, also that another record was there:
   * an earlier try may have put it there. The record says, once it has moved.
   */
  async #compareAndSet(version: Version, expected: DirectoryRecord): Promise<boolean> {
    const { directory, time } = this.#parts;
    const { workspace } = version;
    const digest = digestOf(version);
    const next = { ...expected, version: version.version, digest };
    for (let tries = 1; tries <= TRIES; tries++) {
      // No answer says as little as a refusal.
      const isTaken = await directory.compareAndSet(workspace, expected, next).catch(() => false);
      if (isTaken) return true;
      const now = (await directory.read([workspace]).catch(noDirectory)).get(workspace);
      if (now?.digest === digest) return true;
      // Where it moved further, our version may be among those that it passed: the chain knows, and so do the ids.
      if (now !== undefined && !sameRecord(now, expected)) return false;
      await time.sleep(AGAIN_MS);
    }
    return noDirectory();
  }
}

const moved = (version: number): CausewayError =>
  new CausewayError('version-moved', `the workspace is at version ${version} now; look again and decide`);

export const noDirectory = (): never => {
  throw new CausewayError(
    'no-directory',
    'the directory does not answer, which decides about channels and members; messages go on, try again later',
    { retryAfter: 5 },
  );
};
