import { WorldError } from '../error.ts';

/** All regions that a local world can have, in the order of their ports. */
export const REGIONS = ['us-east', 'eu-west', 'eu-central', 'ap-south'] as const;

/** Where a zone's data may rest. A zone exists when at least one of its regions runs. */
const ZONES: Readonly<Record<string, readonly string[]>> = {
  global: REGIONS,
  eu: ['eu-west', 'eu-central'],
};

export const DEFAULT_BASE_PORT = 4100;

/** The zones of a region. */
export const zonesOf = (region: string): string[] =>
  Object.keys(ZONES).filter((zone) => ZONES[zone]!.includes(region));

/** The regions of a zone among those that run. */
export const regionsOf = (zone: string, running: readonly string[]): string[] =>
  running.filter((region) => ZONES[zone]?.includes(region));

/** The regions that were asked for, each once, in the fixed order; all when none were named. */
export function chooseRegions(asked: readonly string[] = REGIONS): string[] {
  const unknown = asked.find((region) => !REGIONS.some((known) => known === region));
  if (unknown !== undefined)
    throw new WorldError(`There is no region "${unknown}". Choose from: ${REGIONS.join(', ')}.`);
  if (asked.length === 0) throw new WorldError(`A world needs a region: ${REGIONS.join(', ')}.`);
  return REGIONS.filter((region) => asked.includes(region));
}

/** How many server processes a region can have. */
export const MAX_SERVERS = 4;

/** The number of servers per region that was asked for; 0 for none. */
export function chooseServers(asked: number | false = 1): number {
  if (asked === false) return 0;
  if (Number.isInteger(asked) && asked >= 1 && asked <= MAX_SERVERS) return asked;
  throw new WorldError(`A region has from 1 to ${MAX_SERVERS} servers, not ${asked}.`);
}

export type Ports = {
  /** The web page and the control API. */
  web: number;
  /** HTTP and WebSocket of a region: its first server. */
  region(region: string): number;
  /** The same of its `nth` server; the first one is 0. */
  server(region: string, nth: number): number;
  postgres(region: string): number;
  nats(region: string): number;
  /** Where `reader` reaches the broker of `peer`. */
  link(reader: string, peer: string): number;
  /** The region's member of the directory: to those who ask, to the other members, and to who watches it. */
  directory(region: string): number;
  directoryRoute(region: string): number;
  directoryMonitor(region: string): number;
  /** Where `reader` asks the member of `peer`, and where one member reaches another. */
  directoryLink(reader: string, peer: string): number;
  routeLink(member: string, peer: string): number;
};

/** What is left between the others: a world has less than a hundred ports. */
const ROUTE_LINKS = [0, 5, 6, 7, 8, 0, 9, 10, 15, 16, 0, 17, 18, 19, 20, 0];

const index = (region: string): number => REGIONS.findIndex((known) => known === region);

/** Ports above `base`. A region has the same ones in a smaller world and after a restart. */
export function portsFrom(base: number): Ports {
  return {
    web: base,
    region: (region) => base + 1 + index(region),
    server: (region, nth) => base + (nth === 0 ? 1 : 80 + REGIONS.length * (nth - 1)) + index(region),
    postgres: (region) => base + 11 + index(region),
    nats: (region) => base + 21 + index(region),
    link: (reader, peer) => base + 40 + 10 * index(reader) + index(peer),
    directory: (region) => base + 31 + index(region),
    directoryRoute: (region) => base + 35 + index(region),
    directoryMonitor: (region) => base + 25 + index(region),
    directoryLink: (reader, peer) => base + 44 + 10 * index(reader) + index(peer),
    routeLink: (member, peer) => base + ROUTE_LINKS[REGIONS.length * index(member) + index(peer)]!,
  };
}

/** The highest offset that `portsFrom` gives. */
const LAST_OFFSET = 91;

/** `CAUSEWAY_BASE_PORT`, or 4100. */
export function basePortOf(env: Readonly<Record<string, string | undefined>>): number {
  const text = env['CAUSEWAY_BASE_PORT'];
  if (text === undefined || text === '') return DEFAULT_BASE_PORT;
  const port = Number(text);
  if (Number.isInteger(port) && port >= 1024 && port + LAST_OFFSET <= 65_535) return port;
  throw new WorldError(
    `CAUSEWAY_BASE_PORT is "${text}"; it must be a port from 1024 to ${65_535 - LAST_OFFSET}.`,
  );
}
