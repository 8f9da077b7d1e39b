import {
  CausewayError,
  base64url,
  commandId,
  type Ack,
  type Command,
  type Message,
} from '@causeway/protocol';
import { Replica, type Time, type Bus, type Founding, type Notice, type Store } from '@causeway/replica';
import { MemoryDirectory, MemoryNetwork, type MemoryDirectoryOptions } from '@causeway/replication';
import { MemoryStore } from '@causeway/store';
import { Faults } from './faults.ts';
import { SeededRandom } from './seeded-random.ts';
import { SimulatedTime } from './simulated-time.ts';

export type Region = {
  name: string;
  store: MemoryStore;
  faults: Faults;
  processes: Process[];
};

export type Process = {
  region: Region;
  replica: Replica;
  notices: Notice[];
  /** Fires when the process dies. */
  crashed: AbortSignal;
  /** kill -9: nothing that it still does has any effect, and nobody hears of it. */
  crash(): void;
};

/** What of the world a process reaches. */
export type Ports = { store: Store; bus: Bus };

export const WORKSPACE = 'acme';
export const CHANNEL = 'general';

/**
 * Regions on in-memory databases and brokers, with simulated time and one seed: the same calls
 * in the same order make the same world.
 */
export class World {
  readonly time = new SimulatedTime();
  readonly random: SeededRandom;
  readonly network: MemoryNetwork;
  readonly regions: readonly Region[];
  readonly #names: readonly string[];
  readonly #workspaces: readonly Founding[];
  readonly #directory: MemoryDirectory | undefined;

  /** `processes` of each region are started at once; pass 0 to start them by hand. */
  constructor(options: {
    regions: readonly string[];
    seed?: number;
    processes?: number;
    delayMs?: number;
    /** With a strong half; without any there is none. */
    workspaces?: readonly Founding[];
    /** What decides is a directory of three members, with these faults; the first region by name does otherwise. */
    directory?: NonNullable<MemoryDirectoryOptions['faults']>;
  }) {
    const { regions: names, seed = 1, processes = 1, delayMs = 20 } = options;
    this.#names = names;
    this.#workspaces = options.workspaces ?? [];
    this.random = new SeededRandom(seed);
    this.network = new MemoryNetwork({ time: this.time, regions: names, delayMs });
    if (options.directory !== undefined) {
      const { network, time, random } = this;
      const chance = (percent: number): boolean => random.chance(percent);
      const members = names.slice(0, 3);
      this.#directory = new MemoryDirectory({ network, members, time, chance, faults: options.directory });
    }
    this.regions = names.map((name) => {
      const faults = new Faults();
      const now = (): number => this.time.now();
      const store = new MemoryStore({
        region: name,
        fail: faults.fail,
        now,
        identity: `database of ${name}`,
      });
      return { name, store, faults, processes: [] };
    });
    for (const { name } of this.regions) for (let n = 0; n < processes; n++) this.start(name);
  }

  region(name: string): Region {
    return this.regions.find((region) => region.name === name)!;
  }

  /** The first living process of a region. */
  at(name: string): Replica {
    return this.region(name).processes[0]!.replica;
  }

  /** Starts one more process of a region; `through` may put something between it and the world, and `time` be a clock that goes wrong. */
  start(name: string, through: (ports: Ports) => Ports = (ports) => ports, time: Time = this.time): Process {
    const region = this.region(name);
    const stop = new AbortController();
    const notices: Notice[] = [];
    const bus = this.network.bus(name);
    const replica = new Replica({
      region: name,
      regions: this.#names,
      ...through({ store: mortal(region.store, stop.signal), bus }),
      time,
      random: this.random,
      workspaces: this.#workspaces,
      ...(this.#directory === undefined ? {} : { directory: this.#directory.at(name) }),
      notice: (notice) => void notices.push(notice),
    });
    const process: Process = {
      region,
      replica,
      notices,
      crashed: stop.signal,
      crash: () => {
        stop.abort();
        void bus.close();
        region.processes = region.processes.filter((other) => other !== process);
        // Its sessions with the database break, and with them its roles.
        region.store.loseLeads();
      },
    };
    region.processes.push(process);
    void replica.run(stop.signal);
    return process;
  }

  /** Ends every process; call it at the end of each test, or time goes on for ever. */
  close(): void {
    for (const { processes } of this.regions) for (const process of processes) process.crash();
  }

  nonce(): string {
    return base64url(this.random.bytes(16));
  }

  post(body: string, more: Partial<Extract<Command, { kind: 'post' }>> = {}): Command & { kind: 'post' } {
    return {
      kind: 'post',
      workspace: WORKSPACE,
      channel: CHANNEL,
      member: 'ada',
      nonce: this.nonce(),
      body,
      ...more,
    };
  }

  edit(message: string, body: string, v: number, member = 'ada'): Command & { kind: 'edit' } {
    return { kind: 'edit', ...this.#on(message, member), body, v };
  }

  remove(message: string, member = 'ada'): Command & { kind: 'delete' } {
    return { kind: 'delete', ...this.#on(message, member) };
  }

  react(message: string, on: boolean, v: number, member = 'bob'): Command & { kind: 'react' } {
    return { kind: 'react', ...this.#on(message, member), emoji: '👍', on, v };
  }

  #on(message: string, member: string) {
    return { workspace: WORKSPACE, channel: CHANNEL, member, nonce: this.nonce(), message };
  }

  /** A client's hybrid time, `aheadMs` from now. */
  v(aheadMs = 0): number {
    return (this.time.now() + aheadMs) * 1024;
  }

  /** Cuts both directions between two regions, or between the first and all others. */
  cut(one: string, other?: string): void {
    for (const name of this.#others(one, other)) {
      this.network.cut(one, name);
      this.network.cut(name, one);
    }
  }

  heal(): void {
    for (const from of this.#names)
      for (const to of this.#names) if (from !== to) this.network.heal(from, to);
  }

  /** Lets simulated time pass until the condition holds; throws when it does not within `ms`. */
  async until(holds: () => boolean | Promise<boolean>, what: string, ms = 120_000): Promise<void> {
    const deadline = this.time.now() + ms;
    while (!(await holds())) {
      if (this.time.now() >= deadline) throw new Error(`${what}: not within ${ms} simulated ms`);
      await this.time.sleep(50);
    }
  }

  /** The messages of the channel as a region shows them, by body, oldest first. */
  async bodies(name: string, replica = this.at(name)): Promise<string[]> {
    return (await this.messages(name, replica)).map(({ body }) => body).toReversed();
  }

  async messages(name: string, replica = this.at(name)): Promise<Message[]> {
    return (await replica.messages(WORKSPACE, CHANNEL, undefined, 100_000)).items;
  }

  #others(one: string, other: string | undefined): readonly string[] {
    return other === undefined ? this.#names.filter((name) => name !== one) : [other];
  }
}

export const idOf = (command: Command): string => commandId(command);

/** What became of a command: its acknowledgement, the code of its refusal, or the error itself. */
export const outcomeOf = (work: Promise<Ack>): Promise<Ack | string> =>
  work.catch((error: unknown) => (error instanceof CausewayError ? error.code : String(error)));

/** Resolves after everything that can happen without time passing has happened. */
export async function turns(): Promise<void> {
  for (let n = 0; n < 50; n++) await Promise.resolve();
}

/** The store as one process sees it: once that is dead, calls have no effect and no answer. */
function mortal(store: MemoryStore, dead: AbortSignal): Store {
  const never = new Promise<never>(() => undefined);
  return new Proxy(store, {
    get: (target, property) => {
      const member: unknown = Reflect.get(target, property, target);
      if (typeof member !== 'function') return member;
      if (property === 'lead' || property === 'close') return member.bind(target) as unknown;
      return async (...parameters: unknown[]): Promise<unknown> => {
        if (dead.aborted) return never;
        const answer: unknown = await Reflect.apply(member, target, parameters);
        return dead.aborted ? never : answer;
      };
    },
  });
}
