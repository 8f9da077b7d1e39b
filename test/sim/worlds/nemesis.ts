import type { StoreOperation } from '@causeway/store';
import type { FaultKind } from './database.ts';
import type { Ledger } from './ledger.ts';
import type { Process } from './process.ts';
import type { Region, World } from './world.ts';

type Act = (nemesis: Nemesis) => string | undefined;

/** What breaks, with how often it does in comparison. An act that does not apply returns nothing. */
const ACTS: readonly [weight: number, kind: string, act: Act][] = [
  [10, 'cut', (nemesis) => nemesis.cut('both')],
  [8, 'cut-one-way', (nemesis) => nemesis.cut('one')],
  [14, 'heal-link', (nemesis) => nemesis.healLinks()],
  [5, 'reset', (nemesis) => nemesis.reset()],
  [5, 'slow-link', (nemesis) => nemesis.slowLink()],
  [3, 'duplicate', (nemesis) => nemesis.duplicate()],
  [10, 'commit-fails', (nemesis) => nemesis.storeFault(['append'], 'before')],
  [8, 'answer-lost', (nemesis) => nemesis.storeFault(['append'], 'after')],
  [6, 'commit-late', (nemesis) => nemesis.storeFault(['append'], 'late')],
  [6, 'apply-fails', (nemesis) => nemesis.storeFault(['apply'], nemesis.pick(['before', 'after', 'late']))],
  [5, 'read-fails', (nemesis) => nemesis.storeFault(READS, 'before')],
  [5, 'upkeep-fails', (nemesis) => nemesis.storeFault(UPKEEP, nemesis.pick(['before', 'after']))],
  [6, 'crash', (nemesis) => nemesis.crash()],
  [9, 'arm-crash', (nemesis) => nemesis.armCrash()],
  [7, 'stop-process', (nemesis) => nemesis.stopProcess()],
  [2, 'restart-region', (nemesis) => nemesis.restartRegion()],
  [3, 'database-down', (nemesis) => nemesis.databaseDown()],
  [3, 'slow-commits', (nemesis) => nemesis.slowCommits()],
  [3, 'slow-transaction', (nemesis) => nemesis.slowTransaction()],
  [3, 'roles-lost', (nemesis) => nemesis.rolesLost()],
  [3, 'skew', (nemesis) => nemesis.skew()],
  [5, 'broker-down', (nemesis) => nemesis.brokerDown()],
  [4, 'broker-acks-lost', (nemesis) => nemesis.acksLost()],
  [2, 'ids-forgotten', (nemesis) => nemesis.forgetIds()],
  [3, 'purge', (nemesis) => nemesis.purge()],
  [4, 'rewind', (nemesis) => nemesis.rewind()],
  [2, 'recreate', (nemesis) => nemesis.recreate()],
  [2, 'disk-gone', (nemesis) => nemesis.diskGone()],
];
const TOTAL = ACTS.reduce((sum, [weight]) => sum + weight, 0);

const READS: readonly StoreOperation[] = [
  'loadDocument',
  'loadCells',
  'copies',
  'segments',
  'tail',
  'loadRows',
];
const UPKEEP: readonly StoreOperation[] = [
  'published',
  'unpublished',
  'adoptIncarnation',
  'cursor',
  'untidy',
  'tidied',
  'compact',
  'setDigests',
  'project',
  'loadState',
];
const STEPS: readonly StoreOperation[] = ['append', 'append', 'apply', ...READS, ...UPKEEP];

/** Breaks things at random, and repairs some of them. */
export class Nemesis {
  readonly #world: World;
  readonly #ledger: Ledger;
  #diskLost = false;
  /** No more repairs of its own: the world is healed. */
  over = false;

  constructor(world: World, ledger: Ledger) {
    this.#world = world;
    this.#ledger = ledger;
  }

  strike(): void {
    let roll = this.#world.random.below(TOTAL);
    for (const [weight, kind, act] of ACTS) {
      roll -= weight;
      if (roll >= 0) continue;
      const detail = act(this);
      if (detail !== undefined) this.#world.trace.fault(kind, detail);
      return;
    }
  }

  pick<T>(items: readonly T[]): T {
    return this.#world.random.pick(items);
  }

  cut(ways: 'one' | 'both'): string | undefined {
    const [one, other] = this.#pair();
    this.#world.network.cut(one.name, other.name);
    if (ways === 'both') this.#world.network.cut(other.name, one.name);
    return `${one.name}>${other.name}`;
  }

  healLinks(): string {
    for (const { name } of this.#world.regions)
      for (const { name: other } of this.#world.regions)
        if (other !== name) this.#world.network.heal(name, other);
    return '';
  }

  reset(): string {
    const [one, other] = this.#pair();
    this.#world.network.reset(one.name, other.name);
    return `${one.name}-${other.name}`;
  }

  slowLink(): string {
    const [one, other] = this.#pair();
    const delayMs = this.pick([1, 200, 900, 2_500]);
    this.#world.network.delay(one.name, other.name, delayMs);
    return `${one.name}>${other.name} ${delayMs} ms`;
  }

  duplicate(): string {
    const [one, other] = this.#pair();
    this.#world.network.duplicate(one.name, other.name, this.#world.random.chance(60));
    return `${one.name}>${other.name}`;
  }

  storeFault(operations: readonly StoreOperation[], kind: FaultKind): string {
    const region = this.#region();
    const operation = this.pick(operations);
    region.database.fail(operation, kind);
    return `${region.name} ${operation} ${kind}`;
  }

  crash(): string | undefined {
    const process = this.#world.anyProcess();
    if (process === undefined) return undefined;
    const region = this.#world.region(process.region);
    process.life.kill();
    this.#later(this.#world.random.below(3_000), () => this.#world.fill(region));
    return `${process.region}#${process.number}`;
  }

  armCrash(): string {
    const region = this.#region();
    const operation = this.pick(STEPS);
    const kind = this.pick(['crash-before', 'crash-after'] as const);
    region.database.fail(operation, kind);
    this.#later(1_000 + this.#world.random.below(4_000), () => this.#world.fill(region));
    return `${region.name} ${kind} ${operation}`;
  }

  stopProcess(): string | undefined {
    const process = this.#world.anyProcess();
    if (process === undefined || process.life.isStopped) return undefined;
    process.stop();
    const ms = this.#world.random.chance(60)
      ? this.#world.random.below(2_000)
      : this.#world.random.below(15_000);
    this.#later(ms, () => this.#go(process));
    return `${process.region}#${process.number} ${ms} ms`;
  }

  restartRegion(): string {
    const region = this.#region();
    for (const process of region.processes) process.life.kill();
    this.#later(this.#world.random.below(3_000), () => this.#world.fill(region));
    return region.name;
  }

  databaseDown(): string {
    const { name, database } = this.#region();
    database.isDown = true;
    database.loseRoles();
    this.#later(this.#world.random.below(4_000), () => {
      database.isDown = false;
    });
    return name;
  }

  slowCommits(): string {
    const { name, database } = this.#region();
    database.slowMs = this.pick([50, 400, 1_500]);
    this.#later(this.#world.random.below(6_000), () => {
      database.slowMs = 0;
    });
    return name;
  }

  slowTransaction(): string {
    const { name, database } = this.#region();
    void database.holdHorizon();
    this.#later(this.#world.random.below(5_000), () => database.letHorizonGo());
    return name;
  }

  rolesLost(): string {
    const { name, database } = this.#region();
    database.loseRoles();
    return name;
  }

  skew(): string | undefined {
    const process = this.#world.anyProcess();
    if (process === undefined) return undefined;
    process.skewMs = this.pick([-20_000, -400, 0, 400, 20_000, 50_000, 600_000]);
    return `${process.region}#${process.number} ${process.skewMs} ms`;
  }

  brokerDown(): string {
    const { name } = this.#region();
    this.#world.network.stop(name);
    this.#later(this.#world.random.below(6_000), () => this.#world.network.start(name));
    return name;
  }

  acksLost(): string {
    const { name } = this.#region();
    this.#world.network.broker(name).acksToLose = 1 + this.#world.random.below(3);
    return name;
  }

  forgetIds(): string {
    const { name } = this.#region();
    this.#world.network.forgetIds(name);
    return name;
  }

  purge(): string | undefined {
    if (this.#world.weather.withoutRepair) return undefined;
    const { name } = this.#region();
    const { lastSequence } = this.#world.network.broker(name).stream;
    const until = lastSequence + 1 - this.#world.random.below(Math.min(lastSequence + 1, 20));
    this.#world.network.purge(name, until);
    return `${name} before ${until}`;
  }

  /** A power cut of the broker takes the newest messages, and new ones soon get their numbers. */
  rewind(): string | undefined {
    if (this.#world.weather.withoutRepair) return undefined;
    const { name } = this.#region();
    const { lastSequence } = this.#world.network.broker(name).stream;
    const to = Math.max(0, lastSequence - 1 - this.#world.random.below(12));
    this.#world.network.rewind(name, to);
    return `${name} from ${lastSequence} to ${to}`;
  }

  recreate(): string | undefined {
    if (this.#world.weather.withoutRepair) return undefined;
    const { name } = this.#region();
    this.#world.network.recreate(name);
    return name;
  }

  /** Machine and disk of a region are lost: database, stream and processes. Once in a world at most. */
  diskGone(): string | undefined {
    if (this.#diskLost || this.#world.weather.withoutRepair) return undefined;
    this.#diskLost = true;
    const region = this.#region();
    for (const process of region.processes) process.life.kill();
    region.database.wipe();
    this.#world.network.recreate(region.name);
    const others = this.#world.regions.filter((other) => other !== region);
    const missing = this.#ledger.diskLost(others.map(({ database }) => database.witness));
    this.#world.trace.count('lost with a disk before any other region had it', missing);
    this.#later(this.#world.random.below(5_000), () => this.#world.fill(region));
    return `${region.name}, ${missing} unpublished`;
  }

  #go(process: Process): void {
    if (!process.life.isStopped) return;
    this.#world.trace.event(`go on ${process.region}#${process.number}`);
    process.life.go();
  }

  #later(ms: number, repair: () => void): void {
    void this.#world.time.sleep(ms).then(() => {
      if (!this.over) repair();
    });
  }

  #region(): Region {
    return this.pick(this.#world.regions);
  }

  #pair(): [Region, Region] {
    const { regions, random } = this.#world;
    const at = random.below(regions.length);
    const step = 1 + random.below(regions.length - 1);
    return [regions[at]!, regions[(at + step) % regions.length]!];
  }
}
