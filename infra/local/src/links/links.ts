import { defaultDelays, type Delays } from './delays.ts';
import type { Target } from './connection.ts';
import { hearsGreeting, comesToGreet } from './probe.ts';
import { startProxy, type Proxy } from './proxy.ts';
import { Road, type CutMode, type RoadState } from './road.ts';

/** What else than a broker regions reach over the same roads, where they have it. */
export type Service = { targets: Readonly<Record<string, Target>>; port?: PortOf };
/** Where the reader's way to the peer listens; 0 takes any free port. */
export type PortOf = (reader: string, peer: string) => number;

export type LinksOptions = {
  /** The broker of each region. */
  targets: Readonly<Record<string, Target>>;
  /** Of the ways to brokers; any free port by default. */
  port?: PortOf;
  /** By name. */
  services?: Readonly<Record<string, Service>>;
  /** One-way delays in milliseconds; the default is a map of the real world. */
  delays?: Delays;
  /** Of each direction, shared by its connections; unlimited by default. */
  bytesPerSecond?: number;
  /** Per connection and direction, 4 MiB by default: with 95 ms one way that is 44 MB/s. */
  maxWaitingBytes?: number;
};

export type CutOptions = {
  /** `black-hole` by default. */
  mode?: CutMode;
  /**
   * `there` cuts only what `a` sends to `b`. A one-way black hole leaves connections half deaf and
   * lets no new one open; a reset tears down every connection that needs this way, that is all.
   */
  direction?: 'both' | 'there' | 'back';
};

export type LinkState = RoadState & {
  /** Open connections of the regions at both ends, whoever opened them. */
  connections: number;
};

/** The wide area between regions, per pair and direction. Without such a link: `NoSuchLink`. */
export type Links = {
  /** The port on 127.0.0.1 at which `reader` reaches the broker of `peer`, or another service of it. */
  port(reader: string, peer: string, service?: string): number;
  cut(a: string, b: string, options?: CutOptions): void;
  /** Sets the one-way delay of both directions, in milliseconds. */
  slow(a: string, b: string, delayMs: number): void;
  /** Limits both directions, in bytes per second; `undefined` lifts the limit. */
  limit(a: string, b: string, bytesPerSecond: number | undefined): void;
  /** Makes links what they were at first, delays included: one link, all of one region, or all. */
  heal(a?: string, b?: string): void;
  state(): LinkState[];
  /** Bytes on their way or held back, over all links. */
  waitingBytes(): number;
  /**
   * Proves by connecting, from both ends, that no broker answers across the link. Throws if one
   * does, and also when the broker does not even answer directly: then a silence proves nothing.
   */
  assertCut(a: string, b: string): Promise<void>;
  /** Proves that the brokers answer across the link, within `withinMs` (5 s by default). */
  assertHealed(a: string, b: string, withinMs?: number): Promise<void>;
  close(): Promise<void>;
};

/** No link is meant by this; the message names the regions that there are. */
export class NoSuchLink extends Error {
  constructor(what: string, regions: readonly string[]) {
    super(`${what} Regions: ${regions.join(', ')}.`);
    this.name = 'NoSuchLink';
  }
}

const BROKER = 'broker';
const DIRECT_ANSWER_MS = 2_000;
const PROBE_MARGIN_MS = 250;

/** Opens the links between all regions of `targets`, each at its delay. */
export async function createLinks(options: LinksOptions): Promise<Links> {
  const { targets, delays = defaultDelays, port = () => 0, maxWaitingBytes = 4 * 1024 * 1024 } = options;
  const regions = Object.keys(targets);
  const roads = new Map<string, Road>();
  for (const [from, to] of orderedPairs(regions))
    roads.set(key(from, to), new Road(from, to, delays(from, to), options.bytesPerSecond));

  const known = (region: string): void => {
    if (!regions.includes(region))
      throw new NoSuchLink(`There is no region "${region}" in this world.`, regions);
  };
  const road = (from: string, to: string): Road => {
    known(from);
    known(to);
    const found = roads.get(key(from, to));
    if (found === undefined) throw new NoSuchLink('A link joins two different regions.', regions);
    return found;
  };
  const bothWays = (a: string, b: string): [Road, Road] => [road(a, b), road(b, a)];

  const services: Record<string, Service> = { ...options.services, [BROKER]: { targets, port } };
  const wanted = Object.entries(services).flatMap(([name, service]) =>
    orderedPairs(regions)
      .filter(([, peer]) => service.targets[peer] !== undefined)
      .map(([reader, peer]) => ({ name, service, reader, peer })),
  );
  const proxies = await startAll(
    wanted.map(({ name, service, reader, peer }) => ({
      key: `${name} ${key(reader, peer)}`,
      start: () =>
        startProxy(
          service.port?.(reader, peer) ?? 0,
          service.targets[peer]!,
          { there: road(reader, peer), back: road(peer, reader) },
          maxWaitingBytes,
        ),
    })),
  );
  const proxy = (reader: string, peer: string, service = BROKER): Proxy => {
    const { from, to } = road(reader, peer);
    const found = proxies.get(`${service} ${key(from, to)}`);
    if (found === undefined) throw new NoSuchLink(`${to} has no ${service}.`, regions);
    return found;
  };
  const connections = (from: string, to: string): number =>
    Object.keys(services).reduce(
      (sum, name) => sum + (proxies.get(`${name} ${key(from, to)}`)?.connections ?? 0),
      0,
    );

  /** How long the broker takes when no link is in between, in milliseconds. */
  const directAnswer = async (region: string): Promise<number> => {
    const asked = performance.now();
    if (!(await hearsGreeting(targets[region]!.port, DIRECT_ANSWER_MS)))
      throw new Error(
        `The broker of ${region} does not answer even directly: this says nothing of the link.`,
      );
    return performance.now() - asked;
  };

  return {
    port: (reader, peer, service) => proxy(reader, peer, service).port,
    cut(a, b, { mode = 'black-hole', direction = 'both' } = {}) {
      const [there, back] = bothWays(a, b);
      if (direction !== 'back') there.cut(mode);
      if (direction !== 'there') back.cut(mode);
    },
    slow(a, b, delayMs) {
      for (const way of bothWays(a, b)) way.slow(delayMs);
    },
    limit(a, b, bytesPerSecond) {
      for (const way of bothWays(a, b)) way.limit(bytesPerSecond);
    },
    heal(a, b) {
      if (a !== undefined && b !== undefined) for (const way of bothWays(a, b)) way.heal();
      else {
        if (a !== undefined) known(a);
        for (const way of roads.values()) if (a === undefined || way.from === a || way.to === a) way.heal();
      }
    },
    state: () =>
      [...roads.values()].map((way) => ({
        ...way.state(),
        connections: connections(way.from, way.to) + connections(way.to, way.from),
      })),
    waitingBytes: () => [...proxies.values()].reduce((sum, { waitingBytes }) => sum + waitingBytes, 0),
    async assertCut(a, b) {
      const [there, back] = bothWays(a, b);
      // On a busy machine an open link is slow too, and must not pass for a cut one.
      const directMs = Math.max(...(await Promise.all([a, b].map(directAnswer))));
      const withinMs = 2 * (there.delayMs + back.delayMs) + 5 * directMs + PROBE_MARGIN_MS;
      const ends = [proxy(a, b), proxy(b, a)];
      const heard = await Promise.all(ends.map((end) => hearsGreeting(end.port, withinMs)));
      if (heard.includes(true))
        throw new Error(`The link between ${a} and ${b} is not cut: a broker answered.`);
    },
    async assertHealed(a, b, withinMs = 5_000) {
      const ends = [proxy(a, b), proxy(b, a)];
      const heard = await Promise.all(ends.map((end) => comesToGreet(end.port, withinMs)));
      if (heard.includes(false))
        throw new Error(`The link between ${a} and ${b} is not healed: no answer within ${withinMs} ms.`);
    },
    async close() {
      await Promise.all([...proxies.values()].map((each) => each.close()));
    },
  };
}

const key = (from: string, to: string): string => `${from} ${to}`;

function orderedPairs(regions: readonly string[]): [string, string][] {
  return regions.flatMap((from) =>
    regions.filter((to) => to !== from).map((to): [string, string] => [from, to]),
  );
}

/** All or none: when one cannot listen, the others are closed again. */
async function startAll(
  wanted: readonly { key: string; start(): Promise<Proxy> }[],
): Promise<Map<string, Proxy>> {
  const proxies = new Map<string, Proxy>();
  const started = await Promise.allSettled(
    wanted.map(async ({ key, start }) => {
      proxies.set(key, await start());
    }),
  );
  const failed = started.find((each) => each.status === 'rejected');
  if (failed === undefined) return proxies;
  await Promise.all([...proxies.values()].map((each) => each.close()));
  throw failed.reason;
}
