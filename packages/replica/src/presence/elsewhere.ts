import type { Announcement, Question } from './wire.ts';
import { BOUNDS, TIMES } from './bounds.ts';
import { Roster, type Standing } from './roster.ts';
import { STATE, type State } from './state.ts';

/** A process is known by its region too: who announces for a region is at its broker, and cannot speak for others. */
export const processKey = (region: string, process: string): string => `${region}/${process}`;

type Process = {
  region: string;
  process: string;
  roster: Roster;
  /** Beat of its last sign of life. */
  heardAt: number;
  /** Its roster is not what it should be, and was asked for at that beat. */
  askedAt: number | undefined;
  /** Parts of the roster that is arriving. */
  arriving: { n: number; parts: (Standing[] | undefined)[] } | undefined;
};

type Parts = {
  ask(region: string, question: Question): void;
  /** Members whose state in some process changed. */
  changed(keys: readonly string[]): void;
  /** Nothing that this process said counts any more. */
  gone(process: string): void;
};

/** The other processes of the zone: their rosters, and how long ago each was heard. Time is counted in beats of a second. */
export class Elsewhere {
  readonly #parts: Parts;
  readonly #processes = new Map<string, Process>();
  readonly #departed = new Set<string>();
  /** Members of all of them. */
  #members = 0;
  #beat = 0;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#processes.size;
  }

  /** The strongest state of a member in any of them. */
  strongest(key: string): State {
    let strongest: State = STATE.offline;
    for (const { roster } of this.#processes.values()) {
      const state = roster.state(key);
      if (state > strongest) strongest = state;
    }
    return strongest;
  }

  /** A sign of life; false when this process is not listened to: it said goodbye, or there are too many. */
  hears(region: string, process: string): boolean {
    const before = this.#processes.size;
    const found = this.#find(region, process);
    if (found !== undefined && this.#processes.size > before) this.#want(found);
    return found !== undefined;
  }

  take(region: string, said: Announcement & { kind: 'changes' | 'lease' | 'roster' | 'goodbye' }): void {
    if (said.kind === 'goodbye') return this.#depart(processKey(region, said.process));
    const from = this.#find(region, said.process);
    if (from === undefined) return;
    const before = from.roster.count;
    if (said.kind === 'lease') this.#check(from, said);
    else if (said.kind === 'changes') this.#change(from, said);
    else this.#arrive(from, said);
    this.#members += from.roster.count - before;
  }

  /** What a region said may have been missed: everybody there is asked who does not stand as we believe. */
  opened(region: string): void {
    const held = [...this.#processes.values()]
      .filter((process) => process.region === region)
      .map(({ process, roster }) => ({ process, digest: roster.digest }));
    this.#parts.ask(region, { kind: 'rosters', others: true, held });
  }

  /** To be called once a second: forgets those whose lease is over. */
  beat(): void {
    this.#beat++;
    for (const [key, process] of this.#processes) {
      if (this.#beat - process.heardAt >= TIMES.lapseBeats) this.#forget(key);
      else if (process.askedAt !== undefined && this.#beat - process.askedAt >= TIMES.askBeats)
        this.#ask(process);
    }
  }

  #find(region: string, process: string): Process | undefined {
    const key = processKey(region, process);
    if (this.#departed.has(key)) return undefined;
    let found = this.#processes.get(key);
    if (found === undefined) {
      if (this.#processes.size >= BOUNDS.processes) return undefined;
      const roster = new Roster();
      const heardAt = this.#beat;
      found = { region, process, roster, heardAt, askedAt: undefined, arriving: undefined };
      this.#processes.set(key, found);
    }
    found.heardAt = this.#beat;
    return found;
  }

  #change(from: Process, { n, standings }: Announcement & { kind: 'changes' }): void {
    const missed = n > from.roster.latest + 1;
    const more = standings.filter(
      ({ key, state }) => state !== STATE.offline && from.roster.state(key) === STATE.offline,
    ).length;
    if (!this.#fits(from, from.roster.count + more)) return;
    const changed = standings.filter((standing) => from.roster.set(standing, n));
    if (missed) this.#want(from);
    this.#tell(changed.map(({ key }) => key));
  }

  #check(from: Process, { n, count, digest }: Announcement & { kind: 'lease' }): void {
    const { roster } = from;
    // A lease that is older than what we know says nothing about it.
    if (n < roster.latest) return;
    if (n === roster.latest && count === roster.count && digest === roster.digest) {
      roster.settle(n);
      from.askedAt = undefined;
    } else if (this.#fits(from, count)) this.#want(from);
  }

  #arrive(from: Process, { n, index, total, standings }: Announcement & { kind: 'roster' }): void {
    if (from.arriving?.n !== n || from.arriving.parts.length !== total)
      from.arriving = { n, parts: Array.from({ length: total }, () => undefined) };
    const { parts } = from.arriving;
    parts[index] = standings;
    const all = parts.filter((part) => part !== undefined).flat();
    if (parts.includes(undefined) || !this.#fits(from, all.length)) return;
    from.arriving = undefined;
    from.askedAt = undefined;
    this.#tell(from.roster.replace(all, n));
  }

  #fits(from: Process, count: number): boolean {
    return count <= BOUNDS.members && this.#members - from.roster.count + count <= BOUNDS.membersElsewhere;
  }

  #want(process: Process): void {
    if (process.askedAt === undefined) this.#ask(process);
  }

  #ask(from: Process): void {
    from.askedAt = this.#beat;
    const held = [{ process: from.process, digest: from.roster.digest }];
    this.#parts.ask(from.region, { kind: 'rosters', others: false, held });
  }

  #depart(key: string): void {
    this.#departed.add(key);
    if (this.#departed.size > BOUNDS.departed) this.#departed.delete(this.#departed.values().next().value!);
    this.#forget(key);
  }

  #forget(key: string): void {
    const process = this.#processes.get(key);
    if (process === undefined) return;
    this.#processes.delete(key);
    this.#members -= process.roster.count;
    this.#parts.gone(key);
    this.#tell([...process.roster.keys]);
  }

  #tell(keys: readonly string[]): void {
    if (keys.length > 0) this.#parts.changed(keys);
  }
}
