import type { ServerName } from '@causeway/local';
import { SeededRandom } from '../sim/seeded-random.ts';

/** What goes wrong inside a region, with how often in comparison. */
const PROCESS_KINDS = {
  'kill-server': 5,
  'kill-nats': 3,
  'kill-postgres': 3,
  'kill-region': 1,
  'pause-server': 4,
  'pause-in-commit': 4,
  'pause-nats': 2,
  'pause-postgres': 2,
  'restart-storm': 2,
  'skew-clock': 3,
  'purge-stream': 2,
  'remake-stream': 1,
  'delete-stream': 1,
} as const;

/** What goes wrong between two regions. */
const LINK_KINDS = {
  'cut': 4,
  'cut-with-reset': 3,
  'cut-one-way': 4,
  'slow-link': 4,
  'flapping-link': 2,
} as const;

export type ProcessKind = keyof typeof PROCESS_KINDS;
export type LinkKind = keyof typeof LINK_KINDS;
export type FaultKind = ProcessKind | LinkKind | 'wipe';

export type ProcessFault = {
  kind: ProcessKind;
  region: string;
  server: ServerName;
  /** How long the fault is in force, milliseconds; a storm takes as long as its five starts. */
  lastsMs: number;
  /** Nothing new happens in this lane for so long afterwards. */
  calmMs: number;
  /** Of a skewed clock: how far it is ahead. */
  skewMs: number;
};

export type LinkFault = {
  kind: LinkKind;
  region: string;
  peer: string;
  lastsMs: number;
  calmMs: number;
  /** Of a slow link: its delay one way. */
  delayMs: number;
};

/**
 * What happens between two full heals. The two lanes run side by side, links until the processes are
 * through, and the link fault that is in force then stays until the heal. `wipe`: after the regions have converged and work has begun again.
 */
export type Round = {
  process: ProcessFault[];
  link: LinkFault[];
  wipe?: Wipe;
};

/** A region loses its disk. */
export type Wipe = {
  region: string;
  /** So long after work has begun. */
  afterMs: number;
  /** Nothing leaves the region meanwhile: what it acknowledges alone is gone with the disk. */
  cutOff: boolean;
};

export type PlanOptions = {
  seed: number;
  regions: readonly string[];
  servers: readonly ServerName[];
};

const PROCESS_FAULTS_PER_ROUND = 5;
/** More than there is time for. */
const LINK_FAULTS_PER_ROUND = 30;
/** Every so many rounds, first after the second, a region loses its disk. */
const WIPE_EVERY = 3;
const SECOND = 1_000;

/** Rounds without end; the same ones for the same options. */
export function* rounds({ seed, regions, servers }: PlanOptions): Generator<Round, never> {
  const random = new SeededRandom(seed);
  const process = deck(random, PROCESS_KINDS);
  const link = deck(random, LINK_KINDS);
  const between = (low: number, high: number): number => low + random.below(high - low);
  const calmMs = (): number => between(300, 2_500);
  const processFault = (): ProcessFault => {
    const kind = process();
    return {
      kind,
      region: random.pick(regions),
      server: random.pick(servers),
      lastsMs: lastsMs(kind, random),
      calmMs: calmMs(),
      skewMs: between(30, 300) * SECOND * (random.chance(50) ? 1 : -1),
    };
  };
  const linkFault = (): LinkFault => {
    const region = random.pick(regions);
    return {
      kind: link(),
      region,
      peer: random.pick(regions.filter((peer) => peer !== region)),
      lastsMs: between(2 * SECOND, 12 * SECOND),
      calmMs: calmMs(),
      delayMs: between(300, 1_500),
    };
  };
  for (let number = 1; ; number++) {
    const round: Round = {
      process: Array.from({ length: PROCESS_FAULTS_PER_ROUND }, processFault),
      link: regions.length > 1 ? Array.from({ length: LINK_FAULTS_PER_ROUND }, linkFault) : [],
    };
    if (number % WIPE_EVERY === 2 && regions.length > 1)
      round.wipe = {
        region: random.pick(regions),
        afterMs: between(500, 4 * SECOND),
        cutOff: random.chance(50),
      };
    yield round;
  }
}

function lastsMs(kind: ProcessKind, random: SeededRandom): number {
  // Most pauses are shorter than a role's lock lives, some much longer.
  if (kind === 'pause-server' || kind === 'pause-in-commit')
    return random.chance(60) ? 1_000 + random.below(6_000) : 7_000 + random.below(13_000);
  if (kind === 'pause-nats' || kind === 'pause-postgres') return 1_000 + random.below(9_000);
  if (kind === 'skew-clock') return 4_000 + random.below(8_000);
  return 200 + random.below(4_000);
}

/** Deals kinds from a shuffled pack, and shuffles again when it is used up: a short run meets many kinds. */
function deck<Kind extends string>(
  random: SeededRandom,
  weights: Readonly<Record<Kind, number>>,
): () => Kind {
  const pack = Object.entries<number>(weights).flatMap(([kind, count]) =>
    Array.from({ length: count }, () => kind as Kind),
  );
  let left: Kind[] = [];
  return () => {
    if (left.length === 0) left = [...pack];
    const [kind] = left.splice(random.below(left.length), 1);
    return kind!;
  };
}
