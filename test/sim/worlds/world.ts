import { SEGMENT } from '@causeway/replica';
import { MemoryNetwork } from '@causeway/replication';
import { SeededRandom } from '../seeded-random.ts';
import { SimulatedTime } from '../simulated-time.ts';
import { Database } from './database.ts';
import { Process, type Weather } from './process.ts';
import { Trace } from './trace.ts';
import { WriteOnce } from './witness.ts';

export type Region = {
  name: string;
  database: Database;
  /** Those that live; stopped ones included. */
  processes: Process[];
  /** So many at once, at most. */
  size: number;
};

export type WorldOptions = {
  seed: number;
  /** 2 to 4; chosen by the seed otherwise. */
  regions?: number | undefined;
  /** Is shown every event. */
  print?: ((line: string) => void) | undefined;
};

/** Those who hear nothing for so long try elsewhere. */
const PATIENCE_MS = 5_000;
const NAMES = ['us', 'eu', 'ap', 'sa'];

// Small segments: a world of a few dozen posts then has several, as a channel of years does.
Object.assign(SEGMENT, { posts: 24, operations: 240, bytes: 64 * 1024, hardStopPosts: 60 });

/** Regions on databases and brokers in memory, with simulated time, in which everything follows from one seed. */
export class World {
  readonly time = new SimulatedTime();
  readonly random: SeededRandom;
  readonly trace: Trace;
  readonly network: MemoryNetwork;
  readonly regions: readonly Region[];
  readonly weather: Weather;
  /** Is told of every process that starts. */
  started: (process: Process) => void = () => undefined;
  #started = 0;

  constructor({ seed, regions, print }: WorldOptions) {
    this.random = new SeededRandom(seed);
    this.trace = new Trace(() => this.time.now(), print);
    const names = NAMES.slice(0, regions ?? this.random.pick([2, 2, 3, 3, 4]));
    this.network = new MemoryNetwork({ time: this.time, regions: names, delayMs: 20 });
    this.weather = { lossPercent: this.random.pick([0, 0, 2, 20]), withoutRepair: this.random.chance(40) };
    const writeOnce = new WriteOnce();
    this.regions = names.map((name) => ({
      name,
      database: new Database(name, this.time, this.random, this.trace, writeOnce),
      processes: [],
      size: this.random.pick([1, 1, 1, 2, 2, 3]),
    }));
    for (const region of this.regions) this.fill(region);
  }

  region(name: string): Region {
    return this.regions.find((region) => region.name === name)!;
  }

  processes(): Process[] {
    return this.regions.flatMap(({ processes }) => processes);
  }

  anyProcess(): Process | undefined {
    const { processes } = this.random.pick(this.regions);
    return processes.length === 0 ? undefined : this.random.pick(processes);
  }

  start(region: Region): void {
    const process = new Process({
      number: ++this.#started,
      database: region.database,
      regions: this.regions.map(({ name }) => name),
      network: this.network,
      time: this.time,
      random: this.random,
      trace: this.trace,
      weather: this.weather,
    });
    // The very first thing that it did may have been its last.
    if (process.life.isDead) return;
    region.processes.push(process);
    process.life.death.addEventListener('abort', () => {
      region.processes = region.processes.filter((other) => other !== process);
    });
    this.trace.event(`start ${region.name}#${process.number}`);
    this.started(process);
  }

  /** Starts as many processes as the region is to have. */
  fill(region: Region): void {
    while (region.processes.length < region.size) this.start(region);
  }

  /** Everything works again: links, brokers, databases, processes. Clocks stay as they are. */
  heal(): void {
    this.trace.event('heal everything');
    this.weather.lossPercent = 0;
    for (const region of this.regions) {
      region.database.heal();
      const broker = this.network.broker(region.name);
      Object.assign(broker, { acksToLose: 0, tellsToLose: 0, answersToLose: 0, ackMs: 0 });
      this.network.start(region.name);
      for (const other of this.regions)
        if (other !== region) {
          this.network.delay(region.name, other.name, 20);
          this.network.duplicate(region.name, other.name, false);
          this.network.heal(region.name, other.name);
        }
      for (const process of region.processes) if (process.life.isStopped) process.life.go();
      this.fill(region);
    }
  }

  /** What comes of something asked of a process; `undefined` when nothing does for long, as when it died. */
  patient<T>(work: Promise<T>): Promise<T | undefined> {
    return Promise.race([work, this.time.sleep(PATIENCE_MS).then(() => undefined)]);
  }

  end(): void {
    for (const process of this.processes()) process.life.kill();
    this.time.end();
  }
}
