import { createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { WorldError } from '../error.ts';
import { directoryMembers } from './directory.ts';
import { MAX_SERVERS, portsFrom, REGIONS, type Ports } from './layout.ts';
import { SERVERS } from './status.ts';

const RETRY_MS = 100;

/**
 * Makes sure that a world can listen where it wants to. Waits up to `patienceMs` for ports that
 * the processes of a world that was killed a moment ago still hold.
 */
export async function requireFreePorts(
  ports: Ports,
  { regions, servers }: { regions: readonly string[]; servers: number },
  patienceMs: number,
): Promise<void> {
  const deadline = performance.now() + patienceMs;
  const wanted = whatListens(ports, regions, servers);
  for (;;) {
    const taken = await firstTaken(wanted);
    if (taken === undefined) return;
    if (performance.now() >= deadline)
      throw new WorldError(
        `Port ${taken.port} (${taken.what}) is taken by another process. ` +
          'Stop that one, or choose other ports: CAUSEWAY_BASE_PORT=5100 npm start',
      );
    await pause(RETRY_MS);
  }
}

type Listener = { port: number; what: string };

function whatListens(ports: Ports, regions: readonly string[], servers: number): Listener[] {
  return [
    { port: ports.web, what: 'the web page' },
    ...regions.flatMap((region) => [
      ...Array.from({ length: servers }, (_, nth) => ({
        port: ports.server(region, nth),
        what: nth === 0 ? `region ${region}` : `region ${region}, ${SERVERS[nth]}`,
      })),
      { port: ports.postgres(region), what: `Postgres of ${region}` },
      { port: ports.nats(region), what: `NATS of ${region}` },
      ...regions
        .filter((peer) => peer !== region)
        .map((peer) => ({ port: ports.link(region, peer), what: `link ${region} - ${peer}` })),
    ]),
    ...directoryMembers(regions).flatMap((member) => [
      { port: ports.directory(member), what: `the directory in ${member}` },
      { port: ports.directoryRoute(member), what: `the directory in ${member}, to its other members` },
      { port: ports.directoryMonitor(member), what: `the health of the directory in ${member}` },
      ...regions
        .filter((region) => region !== member)
        .flatMap((region) => [
          { port: ports.directoryLink(region, member), what: `link ${region} - directory in ${member}` },
          { port: ports.routeLink(region, member), what: `link of the directory ${region} - ${member}` },
        ]),
    ]),
  ];
}

async function firstTaken(wanted: readonly Listener[]): Promise<Listener | undefined> {
  const free = await Promise.all(wanted.map(({ port }) => isFree(port)));
  return wanted[free.indexOf(false)];
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/** A base port for a world of this machine's tests: all its ports are free now, and below the ephemeral ones. */
export async function findBasePort(): Promise<number> {
  for (;;) {
    const base = 10_000 + 100 * Math.floor(Math.random() * 220);
    if ((await firstTaken(whatListens(portsFrom(base), REGIONS, MAX_SERVERS))) === undefined) return base;
  }
}
