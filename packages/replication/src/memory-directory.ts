import type { DirectoryRecord } from '@causeway/protocol';
import { BusDown, sameRecord, type Directory, type Time } from '@causeway/replica';
import type { MemoryNetwork } from './memory-network.ts';

export type MemoryDirectoryOptions = {
  network: MemoryNetwork;
  /** Regions that keep it: one or three. */
  members: readonly string[];
  time: Time;
  /** Is it so, this time? Of so many in a hundred. */
  chance?(percent: number): boolean;
  faults?: {
    /** Decisions whose answer gets lost, in a hundred. */
    lostAnswers: number;
    /** Tries of a member without its majority that are taken when it has one again, in a hundred. */
    lateTries: number;
    /** Reads of a member without its majority that it answers with what it knew last, in a hundred. */
    staleReads: number;
  };
};

/** Who cannot be answered hears so after this long. */
const PATIENCE_MS = 2_000;
const FAULTLESS = { lostAnswers: 0, lateTries: 0, staleReads: 0 };

/**
 * The directory for simulations: records of which every decision needs a majority of its members, over the links of
 * a network. It does what the real one does when it is cut: answers get lost, tries land late, old records are read.
 */
export class MemoryDirectory {
  readonly #options: MemoryDirectoryOptions;
  readonly #records = new Map<string, DirectoryRecord>();
  /** What each member knew when it had its majority last. */
  readonly #known = new Map<string, Map<string, DirectoryRecord>>();

  constructor(options: MemoryDirectoryOptions) {
    this.#options = options;
  }

  /** As a region asks it. */
  at(region: string): Directory {
    return {
      read: (workspaces) => this.#read(region, workspaces),
      compareAndSet: (workspace, expected, next) => this.#try(region, workspace, expected, next),
    };
  }

  async #read(region: string, workspaces: readonly string[]): Promise<ReadonlyMap<string, DirectoryRecord>> {
    const member = await this.#ask(region);
    const records = this.#hasMajority(member) ? this.#records : this.#stale(member);
    if (records === undefined) return this.#silence();
    if (records === this.#records) this.#known.set(member, new Map(this.#records));
    const found = workspaces.flatMap((workspace): [string, DirectoryRecord][] => {
      const record = records.get(workspace);
      return record === undefined ? [] : [[workspace, record]];
    });
    await this.#ask(region);
    return new Map(found);
  }

  async #try(
    region: string,
    workspace: string,
    expected: DirectoryRecord | undefined,
    next: DirectoryRecord,
  ): Promise<boolean> {
    const { lostAnswers, lateTries } = this.#faults;
    const member = await this.#ask(region);
    const decide = (): boolean => {
      const held = this.#records.get(workspace);
      const isExpected =
        held === undefined || expected === undefined ? held === expected : sameRecord(held, expected);
      if (isExpected) this.#records.set(workspace, next);
      return isExpected;
    };
    if (!this.#hasMajority(member)) {
      if (this.#chance(lateTries)) void this.#later(member, decide);
      return this.#silence();
    }
    const isTaken = decide();
    if (this.#chance(lostAnswers)) return this.#silence();
    await this.#ask(region);
    return isTaken;
  }

  /** The member that the region asks, after the way there; the way back is the same. */
  async #ask(region: string): Promise<string> {
    const { members, network, time } = this.#options;
    const member =
      members.find((each) => each === region) ?? members.find((each) => this.#meet(region, each));
    if (member === undefined) return this.#silence();
    await time.sleep(region === member ? 1 : (network.findLink(region, member)?.delayMs ?? 1));
    return this.#meet(region, member) ? member : this.#silence();
  }

  async #later(member: string, decide: () => boolean): Promise<void> {
    const { time } = this.#options;
    for (let tries = 0; tries < 60; tries++) {
      await time.sleep(500);
      if (this.#hasMajority(member)) return void decide();
    }
  }

  #stale(member: string): ReadonlyMap<string, DirectoryRecord> | undefined {
    return this.#chance(this.#faults.staleReads) ? this.#known.get(member) : undefined;
  }

  async #silence(): Promise<never> {
    await this.#options.time.sleep(PATIENCE_MS);
    throw new BusDown('simulated: the directory does not answer');
  }

  #hasMajority(member: string): boolean {
    const { members } = this.#options;
    return 2 * members.filter((other) => this.#meet(member, other)).length > members.length;
  }

  #meet(a: string, b: string): boolean {
    const { network } = this.#options;
    return a === b || (network.findLink(a, b)?.open === true && network.findLink(b, a)?.open === true);
  }

  #chance(percent: number): boolean {
    return percent > 0 && this.#options.chance?.(percent) === true;
  }

  get #faults(): NonNullable<MemoryDirectoryOptions['faults']> {
    return this.#options.faults ?? FAULTLESS;
  }
}
