import type { Presence } from '@causeway/protocol';
import { ZonePresence, type Bus, type PresenceEar, type PresenceSession } from '@causeway/replica';
import { MemoryNetwork } from '@causeway/replication';
import { SeededRandom } from './seeded-random.ts';
import { SimulatedTime } from './simulated-time.ts';

/** What happens to each announcement and question on its way, in percent; late ones come within `lateMs`, out of order. */
export type Weather = { lost: number; twice: number; late: number; lateMs: number };
const FINE: Weather = { lost: 0, twice: 0, late: 0, lateMs: 0 };

/** Processes of regions that know of each other's members, and nothing else of a replica. */
export class PresenceWorld {
  readonly time = new SimulatedTime();
  readonly random: SeededRandom;
  readonly network: MemoryNetwork;
  readonly regions: readonly string[];
  processes: PresenceProcess[] = [];
  weather: Weather = FINE;

  constructor(
    options: { regions?: readonly string[]; processes?: number; seed?: number; delayMs?: number } = {},
  ) {
    const { regions = ['us', 'eu'], processes = 1, seed = 1, delayMs = 60 } = options;
    this.regions = regions;
    this.random = new SeededRandom(seed);
    this.network = new MemoryNetwork({ time: this.time, regions, delayMs });
    for (const region of regions) for (let n = 0; n < processes; n++) this.start(region);
  }

  start(region: string): PresenceProcess {
    const process = new PresenceProcess(this, region);
    this.processes.push(process);
    return process;
  }

  in(region: string, at = 0): PresenceProcess {
    return this.processes.filter((process) => process.region === region)[at]!;
  }

  cut(region: string): void {
    for (const other of this.regions) {
      if (other === region) continue;
      this.network.cut(region, other);
      this.network.cut(other, region);
    }
  }

  /** Everything works again. */
  calm(): void {
    this.weather = FINE;
    for (const from of this.regions) {
      if (!this.network.broker(from).running) this.network.start(from);
      for (const to of this.regions) if (from !== to) this.network.heal(from, to);
    }
  }

  /** Lets time pass until all living processes, or these, show `states`; how long it took. */
  async show(states: string, ms = 1_000, processes = this.processes): Promise<number> {
    const since = this.time.now();
    for (;;) {
      const shown = processes.map(({ text }) => text);
      if (shown.every((text) => text === states)) return this.time.now() - since;
      if (this.time.now() - since >= ms)
        throw new Error(`after ${ms} ms they show ${shown.join(' | ')}, not ${states}`);
      await this.time.sleep(10);
    }
  }

  /** Bytes and number of what all processes announce from now on. */
  count(): { messages: number; bytes: number } {
    const counted = { messages: 0, bytes: 0 };
    for (const process of this.processes) process.counts.add(counted);
    return counted;
  }

  close(): void {
    for (const process of this.processes) process.kill();
    this.time.end();
  }
}

export class PresenceProcess {
  readonly region: string;
  readonly presence: ZonePresence;
  readonly sessions: { member: string; session: PresenceSession; state: Presence['state'] }[] = [];
  readonly counts = new Set<{ messages: number; bytes: number }>();
  readonly shows = new Map<string, Presence['state']>();
  /** Changes that its watches heard of. */
  changes = 0;
  readonly #world: PresenceWorld;
  readonly #bus: Bus;
  readonly #stop = new AbortController();

  constructor(world: PresenceWorld, region: string) {
    this.#world = world;
    this.region = region;
    this.#bus = world.network.bus(region);
    const { regions, time, random } = world;
    this.presence = new ZonePresence({ region, regions, bus: this.#shaken(), time, random });
    void this.presence.run(this.#stop.signal);
  }

  /** From now on `text` shows these members, in this order. */
  watch(...members: string[]): void {
    const watch = this.presence.watch('acme', members, (changes) => {
      this.changes += changes.length;
      for (const { member, state } of changes) this.shows.set(member, state);
    });
    for (const { member, state } of watch.states) this.shows.set(member, state);
  }

  get text(): string {
    return [...this.shows.values()].join(' ');
  }

  enter(member: string): PresenceSession {
    const session = this.presence.enter('acme', member);
    this.sessions.push({ member, session, state: 'online' });
    return session;
  }

  /** kill -9 */
  kill(): void {
    this.#stop.abort();
    void this.#bus.close();
    this.#world.processes = this.#world.processes.filter((other) => other !== this);
  }

  /** SIGTERM */
  async stop(): Promise<void> {
    this.presence.goodbye();
    // What was handed over leaves before the connection does.
    await this.#world.time.sleep(5);
    this.kill();
  }

  #shaken(): Bus {
    const bus = this.#bus;
    const hearPresence = (ear: PresenceEar): void =>
      bus.hearPresence({
        announced: (...said) => this.#shake(() => ear.announced(...said)),
        asked: (question) => this.#shake(() => ear.asked(question)),
        opened: (region) => ear.opened(region),
      });
    const announce = (topic: string, bytes: Uint8Array): void => {
      for (const counted of this.counts) {
        counted.messages++;
        counted.bytes += bytes.length;
      }
      bus.announce(topic, bytes);
    };
    return new Proxy(bus, {
      get: (target, property) => {
        if (property === 'hearPresence') return hearPresence;
        if (property === 'announce') return announce;
        const member: unknown = Reflect.get(target, property, target);
        return typeof member === 'function' ? (member.bind(target) as unknown) : member;
      },
    });
  }

  #shake(arrive: () => void): void {
    const { random, weather, time } = this.#world;
    if (random.chance(weather.lost)) return;
    const times = random.chance(weather.twice) ? 2 : 1;
    for (let n = 0; n < times; n++) {
      if (!random.chance(weather.late)) arrive();
      else
        void time.sleep(random.below(weather.lateMs)).then(() => {
          if (!this.#stop.signal.aborted) arrive();
        });
    }
  }
}
