import { RegionApi } from '@causeway/client';
import { SERVERS, startWorld, type World, type WorldStatus } from '@causeway/local';
import { base64url, canvasName, type Command } from '@causeway/protocol';
import { setTimeout as pause } from 'node:timers/promises';
import { check, type Verdict } from './checker.ts';
import { converge } from './convergence.ts';
import { Crowd } from './crowd/crowd.ts';
import { RegionDatabase } from './databases.ts';
import { DiskLoss } from './disk-loss.ts';
import { readBack } from './held.ts';
import { Journal } from './journal.ts';
import { measureMemory, type MemorySample } from './memory.ts';
import { Nemesis, type Struck } from './nemesis.ts';
import { rounds, type Wipe } from './plan.ts';

export type TortureOptions = {
  minutes: number;
  seed: number;
  regions: readonly string[];
  servers: number;
  home: string;
  basePort: number;
  /** Where the operations are written, one JSON text a line. */
  journalFile: string;
  /** Operations begun per second. */
  rate: number;
  delayMs: number;
  /** Hears how it goes on, every few seconds and whenever something happens. */
  say(line: string): void;
};

/** A full heal and what came of it. Times are milliseconds since 1970. */
export type Heal = {
  at: number;
  /** Until all regions held the same; absent when they did not within the bound. */
  ms?: number;
  /** After a region lost its disk. */
  wiped?: string;
};

export type Outcome = {
  options: Pick<TortureOptions, 'minutes' | 'seed' | 'regions' | 'servers' | 'rate' | 'delayMs'>;
  startedAt: number;
  endedAt: number;
  journal: Journal;
  faults: Struck[];
  heals: Heal[];
  memory: MemorySample[];
  /** Faults that could not be carried out, processes that ended by themselves. */
  troubles: { at: number; text: string }[];
  sizes: { region: string; rows: number; bytes: number }[];
  verdict: Verdict;
};

const WORKSPACE = 'demo';
const CHANNELS = ['general', 'random'];
const MEMBERS_PER_REGION = 8;
const CANVASES = 2;
/** The timer of anti-entropy, which finds what nobody could notice, is 75 s at most. */
const CONVERGE_WITHIN_MS = 180_000;
const SAY_EVERY_MS = 5_000;
const MEASURE_EVERY_MS = 10_000;

/** Lives a world under a nemesis for so many minutes, lets it come to rest, and reads everything back. */
export async function torture(options: TortureOptions): Promise<Outcome> {
  const { home, basePort, regions, servers, delayMs, say } = options;
  const troubles: Outcome['troubles'] = [];
  const trouble = (text: string): void => {
    troubles.push({ at: Date.now(), text });
    say(`! ${text.split('\n')[0]}`);
  };
  say(`starting ${regions.length} regions with ${servers} servers each …`);
  const world = await startWorld({
    home,
    basePort,
    regions,
    servers,
    delays: () => delayMs,
    onEvent: trouble,
  });
  try {
    return await new Run(world, options, troubles, trouble).live();
  } finally {
    await world.stop();
  }
}

class Run {
  readonly #world: World;
  readonly #options: TortureOptions;
  readonly #trouble: (text: string) => void;
  readonly #databases: RegionDatabase[];
  readonly #journal: Journal;
  readonly #diskLoss = new DiskLoss();
  readonly #faults: Struck[] = [];
  readonly #heals: Heal[] = [];
  readonly #memory: MemorySample[] = [];
  readonly #troubles: Outcome['troubles'];
  readonly #startedAt = Date.now();
  readonly #over = new AbortController();
  /** What was acknowledged before is everywhere. */
  #convergedAt = 0;

  constructor(
    world: World,
    options: TortureOptions,
    troubles: Outcome['troubles'],
    trouble: (text: string) => void,
  ) {
    this.#world = world;
    this.#options = options;
    this.#troubles = troubles;
    this.#trouble = trouble;
    this.#databases = RegionDatabase.all(world);
    this.#journal = new Journal(options.journalFile);
  }

  async live(): Promise<Outcome> {
    const crowd = await this.#gather();
    const watching = [
      this.#every(SAY_EVERY_MS, () => this.#sayHowItGoes()),
      this.#every(MEASURE_EVERY_MS, () => this.#measure()),
    ];
    try {
      const nemesis = new Nemesis(this.#world, crowd, {
        struck: (fault) => {
          this.#faults.push(fault);
          this.#journal.note({ fault });
        },
        trouble: this.#trouble,
      });
      await this.#torment(crowd, nemesis);
      return await this.#conclude(crowd);
    } finally {
      this.#over.abort();
      await Promise.all(watching);
      await crowd.terminate();
      await Promise.all(this.#databases.map((database) => database.close()));
      await this.#journal.close();
    }
  }

  async #torment(crowd: Crowd, nemesis: Nemesis): Promise<void> {
    const { minutes, seed, regions, servers } = this.#options;
    const time = AbortSignal.timeout(minutes * 60_000);
    const plan = rounds({ seed, regions, servers: SERVERS.slice(0, servers) });
    while (!time.aborted) {
      const round = plan.next().value;
      crowd.work();
      await nemesis.play(round, time);
      await this.#heal(crowd, nemesis);
      if (round.wipe === undefined || time.aborted) continue;
      crowd.work();
      await this.#wipe(round.wipe, nemesis);
      await this.#heal(crowd, nemesis, round.wipe.region);
    }
  }

  /** Work rests, everything is repaired, and the regions come to hold the same. */
  async #heal(crowd: Crowd, nemesis: Nemesis, wiped?: string): Promise<void> {
    const resting = crowd.rest();
    await nemesis.heal();
    const at = Date.now();
    const { ms, states } = await converge(this.#databases, CONVERGE_WITHIN_MS);
    const heal: Heal = {
      at,
      ...(ms === undefined ? {} : { ms }),
      ...(wiped === undefined ? {} : { wiped }),
    };
    this.#heals.push(heal);
    this.#journal.note({ heal, states });
    // Who waits for a message that went with a disk gives up at last.
    await resting;
    if (ms === undefined) this.#trouble(`not converged after a heal: ${JSON.stringify(states)}`);
    else {
      this.#convergedAt = at;
      this.#options.say(`  healed, the same in all regions after ${(ms / 1000).toFixed(1)} s`);
    }
  }

  async #wipe(wipe: Wipe, nemesis: Nemesis): Promise<void> {
    const { region } = wipe;
    const others = this.#databases.filter((database) => database.region !== region);
    await nemesis.wipe(wipe, async () => {
      // Answers that were on their way to clients when the processes died, and what the link still carries.
      await pause(1_000);
      await this.#diskLoss.lost(region, this.#convergedAt, this.#journal, others);
    });
  }

  async #conclude(crowd: Crowd): Promise<Outcome> {
    const options = this.#options;
    await crowd.leave();
    const last = await converge(this.#databases, CONVERGE_WITHIN_MS);
    this.#journal.note({ last });
    await this.#measure();
    const endedAt = Date.now();
    this.#over.abort();
    options.say('reading everything back …');
    const token = await this.#world.token('reader', { ttl: 600 });
    const held = await readBack(this.#world, this.#databases, {
      token,
      workspace: WORKSPACE,
      channels: CHANNELS,
    });
    const verdict = check(this.#journal, this.#diskLoss, held);
    for (const finding of verdict.findings) this.#journal.note({ finding });
    const sizes = await Promise.all(
      this.#databases.map(async (database) => ({ region: database.region, ...(await database.size()) })),
    );
    return {
      options,
      startedAt: this.#startedAt,
      endedAt,
      journal: this.#journal,
      faults: this.#faults,
      heals: this.#heals,
      memory: this.#memory,
      troubles: this.#troubles,
      sizes,
      verdict,
    };
  }

  /** Members of all regions, and canvases to write on. */
  async #gather(): Promise<Crowd> {
    const { seed, regions, rate } = this.#options;
    const members = await Promise.all(
      regions.flatMap((region) =>
        Array.from({ length: MEMBERS_PER_REGION }, async (_, at) => {
          const member = `${region}-${at + 1}`;
          return { member, region, token: await this.#world.token(member) };
        }),
      ),
    );
    const canvases: string[] = [];
    for (let at = 0; at < CANVASES; at++) canvases.push(await this.#createCanvas(members[0]!));
    return new Crowd(
      {
        seed,
        workspace: WORKSPACE,
        channels: CHANNELS,
        regions: regions.map((region) => ({ region, urls: this.#world.regions[region]!.urls })),
        members,
        canvases,
        rate,
      },
      this.#journal,
    );
  }

  async #createCanvas({
    member,
    region,
    token,
  }: {
    member: string;
    region: string;
    token: string;
  }): Promise<string> {
    const api = new RegionApi({ url: this.#world.regions[region]!.url, token });
    const startedAt = Date.now();
    const { clock } = await api.workspace(WORKSPACE);
    const nonce = base64url(crypto.getRandomValues(new Uint8Array(16)));
    const command: Command = {
      kind: 'canvas',
      workspace: WORKSPACE,
      member,
      nonce,
      title: 'tortured',
      v: clock + 1,
    };
    const { id, level, token: place } = await api.execute(command);
    const outcome = { acknowledged: true as const, region, level, token: place };
    const operation = {
      id,
      command,
      level,
      home: region,
      startedAt,
      endedAt: Date.now(),
      attempts: 1,
      repeat: false,
    };
    this.#journal.started++;
    this.#journal.operation({ ...operation, outcome });
    return canvasName(WORKSPACE, id);
  }

  async #measure(): Promise<void> {
    const status: WorldStatus = await this.#world.status();
    this.#memory.push(...(await measureMemory(status)));
  }

  async #sayHowItGoes(): Promise<void> {
    const { operations, started, errors, words } = this.#journal;
    const acknowledged = operations.filter(({ outcome }) => outcome.acknowledged).length;
    const answers = [...errors].sort(([, a], [, b]) => b - a).slice(0, 4);
    this.#options.say(
      [
        clock(Date.now() - this.#startedAt),
        `${this.#faults.length} faults (${this.#faults.at(-1)?.kind ?? 'none yet'})`,
        `${started} operations, ${acknowledged} acknowledged, ${started - operations.length} under way, ${words.size} words`,
        answers.map(([code, count]) => `${code} ${count}`).join(', '),
      ].join(' · '),
    );
  }

  async #every(ms: number, work: () => Promise<void>): Promise<void> {
    while (!this.#over.signal.aborted) {
      await pause(ms, undefined, { signal: this.#over.signal }).catch(() => undefined);
      await work().catch((error: unknown) => this.#trouble(`while watching: ${(error as Error).message}`));
    }
  }
}

/** Minutes and seconds. */
export const clock = (ms: number): string =>
  `${Math.floor(ms / 60_000)}:${String(Math.floor((ms % 60_000) / 1000)).padStart(2, '0')}`;
