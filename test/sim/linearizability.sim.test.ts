/* Strong changes and confirmed reads over a directory of three members, as one order. */
import { changeId, digestOf, firstHead, type ChangeCommand, type Version } from '@causeway/protocol';
import { Doubtful, Unavailable, type Founding } from '@causeway/replica';
import type { StoreOperation } from '@causeway/store';
import { describe, expect, it } from 'vitest';
import { unexplained, type Answered } from './linearizability.ts';
import { SeededRandom } from './seeded-random.ts';
import { WORKSPACE, World, type Process } from './world.ts';

const REGIONS = ['us', 'eu', 'ap'];
const founding: Founding = {
  id: WORKSPACE,
  home: 'us',
  admins: ['ada'],
  channels: [{ id: 'general', slug: 'general' }],
};

/** A world in which everything goes wrong, what was answered in it, and the log that came of it. */
class Life {
  readonly world: World;
  readonly answered: Answered[] = [];
  faults = 0;
  readonly #random: SeededRandom;
  readonly #under: Promise<void>[] = [];
  readonly #asked: ChangeCommand[] = [];
  readonly #firstAsked = new Map<string, number>();

  constructor(seed: number) {
    this.#random = new SeededRandom(seed);
    this.world = new World({
      regions: REGIONS,
      workspaces: [founding],
      processes: 2,
      seed,
      directory: { lostAnswers: 10, lateTries: 50, staleReads: 50 },
    });
  }

  async live(steps: number): Promise<void> {
    for (let step = 0; step < steps; step++) {
      if (this.#random.chance(30)) await this.#strike();
      else this.#ask(step);
      await this.world.time.sleep(this.#random.below(1_500));
    }
    this.world.heal();
    for (const { faults } of this.world.regions) faults.clear();
    await Promise.all(this.#under);
  }

  /** All regions have the same log in the end. */
  async log(): Promise<Version[]> {
    const logs = (): Promise<Version[][]> =>
      Promise.all(this.world.regions.map(({ store }) => store.strongVersions(WORKSPACE, 0, 100_000)));
    await this.world.until(async () => {
      const heads = (await logs()).map((log) => (log.length === 0 ? '' : digestOf(log.at(-1)!)));
      return new Set(heads).size === 1;
    }, 'all regions have one log');
    return (await logs())[0]!;
  }

  async #strike(): Promise<void> {
    const random = this.#random;
    const region = random.pick(REGIONS);
    const { processes, faults } = this.world.region(region);
    this.faults++;
    switch (random.below(6)) {
      case 0:
      case 1:
        return this.world.cut(region, random.pick(REGIONS.filter((other) => other !== region)));
      case 2:
        return this.world.heal();
      case 3:
        random.pick(processes).crash();
        return void this.world.start(region);
      case 4: {
        const operation = random.pick<StoreOperation>(['prepare', 'applyVersion']);
        const [when, error] = random.pick([
          ['before', new Unavailable('down')],
          ['after', new Doubtful('lost')],
        ] as const);
        return void faults.failNext(operation, when, error);
      }
      default:
        // By an operator, wherever the old home is.
        await this.world
          .at(region)
          .strong.moveHome(WORKSPACE, random.pick(REGIONS))
          .catch(() => undefined);
    }
  }

  #ask(step: number): void {
    const random = this.#random;
    const region = random.pick(REGIONS);
    const process = random.pick(this.world.region(region).processes);
    const { strong } = process.replica;
    const roll = random.below(10);
    if (roll < 5) {
      const command =
        this.#asked.length > 0 && random.chance(20) ? random.pick(this.#asked) : this.#wish(step);
      this.#asked.push(command);
      const id = changeId(command);
      // A repeat may be answered with what came of the first one.
      const askedAt = this.#firstAsked.get(id) ?? this.world.time.now();
      this.#firstAsked.set(id, askedAt);
      this.#note(process, 'change', askedAt, async () => ({
        version: (await strong.request(command)).version,
        id,
      }));
    } else
      this.#note(process, roll < 8 ? 'confirmed' : 'local', this.world.time.now(), async () => {
        const { head } = await (roll < 8 ? strong.confirmed(WORKSPACE) : strong.state(WORKSPACE));
        return head;
      });
  }

  /** What dies with its process, or is refused, was not answered. */
  #note<K extends Answered['kind']>(
    { region, replica, crashed }: Process,
    kind: K,
    askedAt: number,
    ask: () => Promise<{ version: number; id?: string; digest?: string }>,
  ): void {
    const { time } = this.world;
    const where = `${region.name} ${this.#numberOf(replica)}`;
    const dead = new Promise<void>((resolve) =>
      crashed.addEventListener('abort', () => resolve(), { once: true }),
    );
    const asking = ask().then(
      (answer) => {
        if (crashed.aborted) return;
        this.answered.push({ kind, where, askedAt, answeredAt: time.now(), ...answer } as Answered);
      },
      () => undefined,
    );
    this.#under.push(Promise.race([asking, dead]));
  }

  readonly #numbers = new Map<object, number>();
  #numberOf(replica: object): number {
    const number = this.#numbers.get(replica) ?? this.#numbers.size;
    this.#numbers.set(replica, number);
    return number;
  }

  #wish(step: number): ChangeCommand {
    return {
      kind: 'change',
      workspace: WORKSPACE,
      member: 'ada',
      nonce: this.world.nonce(),
      deed: { kind: 'create-channel', slug: `c-${step}`, private: false, members: [] },
    };
  }
}

describe('changes and confirmed reads', () => {
  it.each(Array.from({ length: 60 }, (_, at) => at + 1))(
    'R7 R3 are explained by one order, local reads by growing prefixes of it: seed %i',
    async (seed) => {
      const life = new Life(seed);
      try {
        await life.live(70);
        const log = await life.log();
        const digests = [firstHead(WORKSPACE).digest, ...log.map(digestOf)];
        expect(unexplained(log, life.answered, (version) => digests[version] ?? '')).toBeUndefined();
        const kinds = Map.groupBy(life.answered, ({ kind }) => kind);
        for (const kind of ['change', 'confirmed', 'local'] as const)
          expect(kinds.get(kind)?.length ?? 0, kind).toBeGreaterThan(0);
        expect(life.faults).toBeGreaterThan(5);
      } finally {
        life.world.close();
      }
    },
  );
});
