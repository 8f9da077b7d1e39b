import type { Hearing, PeerStatus, Waiting, ZoneStatus } from './status.ts';

const ANSWER_WITHIN_MS = 2_000;

/** What one server says at `/readyz`; neither ready nor hearing anything when it does not answer, or not like that. */
export async function hear(url: string): Promise<{ ready: boolean; hearing: Hearing }> {
  try {
    const answer = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });
    return { ready: answer.status === 200, hearing: readHearing(await answer.json()) };
  } catch {
    return { ready: false, hearing: NOTHING };
  }
}

export const NOTHING: Hearing = { peers: [], zones: [] };

/** Takes what fits out of a server's answer, and leaves the rest: servers of other versions say more or less. */
export function readHearing(answer: unknown): Hearing {
  const zones = list(field(answer, 'zones'));
  const brokers = zones.map((zone) => field(zone, 'nats'));
  const broker = (['down', 'up'] as const).find((state) => brokers.includes(state));
  return {
    ...(broker === undefined ? {} : { broker }),
    peers: zones.flatMap((zone) => list(field(zone, 'peers')).flatMap((peer) => readPeer(zone, peer))),
    zones: zones.flatMap(readZone),
  };
}

function readPeer(zone: unknown, peer: unknown): PeerStatus[] {
  const [name, region] = [field(zone, 'zone'), field(peer, 'peer')];
  if (typeof name !== 'string' || typeof region !== 'string') return [];
  const [waiting, unconfirmed] = [readWaiting(peer, 'waiting'), readWaiting(peer, 'unconfirmed')];
  return [
    {
      zone: name,
      region,
      connected: field(peer, 'connected') === true,
      ...numbers(peer, ['lagMs', 'heardAt', 'diverged', 'parked']),
      ...(waiting === undefined ? {} : { waiting }),
      ...(unconfirmed === undefined ? {} : { unconfirmed }),
    },
  ];
}

function readWaiting(peer: unknown, name: string): Waiting | undefined {
  const updates = number(field(peer, name), 'updates');
  return updates === undefined ? undefined : { updates, ...numbers(field(peer, name), ['bytes']) };
}

function readZone(zone: unknown): ZoneStatus[] {
  const name = field(zone, 'zone');
  const waiting = field(zone, 'waiting');
  if (typeof name !== 'string' || typeof waiting !== 'object') return [];
  const bytes = number(waiting, 'publishBytes');
  return [
    {
      zone: name,
      appends: number(waiting, 'appends') ?? 0,
      publishes: { updates: number(waiting, 'publishes') ?? 0, ...(bytes === undefined ? {} : { bytes }) },
      ...numbers(waiting, ['oldestMs']),
      ...numbers(zone, ['diverged', 'parked']),
    },
  ];
}

/**
 * What a region says by the mouths of several servers. Each has its own writes under way; the
 * outbox is one, and only one of them reads a peer: the rest repeat what they last knew.
 */
export function together(hearings: readonly Hearing[]): Hearing {
  const brokers = hearings.map(({ broker }) => broker);
  const broker = (['down', 'up'] as const).find((state) => brokers.includes(state));
  return {
    ...(broker === undefined ? {} : { broker }),
    peers: merged(
      hearings.map(({ peers }) => peers),
      ({ zone, region }) => `${zone} ${region}`,
      samePeer,
    ),
    zones: merged(
      hearings.map(({ zones }) => zones),
      ({ zone }) => zone,
      sameZone,
    ),
  };
}

function samePeer(a: PeerStatus, b: PeerStatus): PeerStatus {
  const [stale, fresh] = freshness(a) > freshness(b) ? [b, a] : [a, b];
  return { ...stale, ...fresh };
}

const freshness = ({ connected, heardAt = 0 }: PeerStatus): number => heardAt + (connected ? 1e15 : 0);

const sameZone = (a: ZoneStatus, b: ZoneStatus): ZoneStatus => ({
  zone: a.zone,
  appends: a.appends + b.appends,
  publishes: moreWaiting(a.publishes, b.publishes),
  ...larger(a, b, ['oldestMs', 'diverged', 'parked']),
});

const moreWaiting = (a: Waiting, b: Waiting): Waiting => ({
  updates: Math.max(a.updates, b.updates),
  ...larger(a, b, ['bytes']),
});

function merged<T>(
  lists: readonly (readonly T[])[],
  keyOf: (item: T) => string,
  merge: (a: T, b: T) => T,
): T[] {
  const found = new Map<string, T>();
  for (const item of lists.flat()) {
    const known = found.get(keyOf(item));
    found.set(keyOf(item), known === undefined ? item : merge(known, item));
  }
  return [...found.values()];
}

function larger<Key extends string>(
  a: { [key in Key]?: number },
  b: { [key in Key]?: number },
  keys: readonly Key[],
): { [key in Key]?: number } {
  const known = keys.filter((key) => a[key] !== undefined || b[key] !== undefined);
  return Object.fromEntries(known.map((key) => [key, Math.max(a[key] ?? 0, b[key] ?? 0)])) as {
    [key in Key]?: number;
  };
}

const number = (value: unknown, name: string): number | undefined => {
  const found = field(value, name);
  return typeof found === 'number' ? found : undefined;
};

/** Those of these fields that are numbers. */
function numbers<Key extends string>(value: unknown, keys: readonly Key[]): { [key in Key]?: number } {
  const known = keys.filter((key) => number(value, key) !== undefined);
  return Object.fromEntries(known.map((key) => [key, number(value, key)])) as { [key in Key]?: number };
}

const field = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;

const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
