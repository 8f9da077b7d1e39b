import { workspaceOf } from '@causeway/protocol';
import { Replica, type Directory, type Founding, type Notice } from '@causeway/replica';
import { NatsDirectory, openNatsBus } from '@causeway/replication';
import { openPostgres, type Database } from '@causeway/store';
import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import { Access } from './access.ts';
import { Catalog } from './catalog.ts';
import type { Config } from './config/read.ts';
import { AwarenessRooms } from './gateway/awareness.ts';
import { closeHttp, openHttp } from './gateway/http.ts';
import type { Readiness } from './gateway/operations.ts';
import { RateLimits } from './gateway/limits.ts';
import { openDoors } from './gateway/doors.ts';
import { Listeners } from './gateway/listeners.ts';
import { Metrics, type Sample } from './metrics.ts';
import { time } from './real-time.ts';
import { Tokens } from './tokens.ts';

/** How long a stopping process waits for answers under way, then for what it accepted to be committed and published. */
const ANSWER_MS = 2_000;
const DRAIN_MS = 4_000;

/** Between two rounds of telling that clients are still in their canvases. */
const RENEW_MS = 5_000;

/** Randomness of the real world. */
const random = { bytes: (count: number): Uint8Array => randomBytes(count) };

/** One zone that this region is in; `close` lets it commit and publish first what it accepted. */
type Zone = { zone: string; replica: Replica; close(): Promise<void> };

/**
 * Runs the server of one region until the signal fires: Postgres, a replica and a bus per zone,
 * the doors. Rejects when it cannot start; stops cleanly, what it accepted first. Nothing of it
 * is left when the promise settles.
 */
export async function runRegion(config: Config, log: Logger, signal: AbortSignal): Promise<void> {
  const tokens = await Tokens.open(config);
  await using opened = new AsyncDisposableStack();
  const database = await openPostgres(config.postgres, { region: config.region });
  opened.defer(() => database.close());
  if (signal.aborted) return;

  const catalog = new Catalog(config);
  const zones: Zone[] = [];
  const directory = openDirectory(config);
  opened.defer(() => directory?.close());
  opened.defer(() => closeAll(zones));
  const metrics = new Metrics(config.region, () => zones.map(sampleOf));
  for (const of of config.zones) {
    const notice = ({ what, ...detail }: Notice): void => {
      metrics.notice(what);
      log[what === 'bus-up' ? 'info' : 'warn']({ zone: of.zone, ...detail }, what);
    };
    zones.push(openZone(config, of, database, catalog.foundingsOf(of.zone), directory, notice));
  }

  const stopping = new AbortController();
  const readiness = (): Promise<Readiness> => readinessOf(config.region, database, zones);
  const replicas = new Map(zones.map(({ zone, replica }) => [zone, replica]));
  const access = new Access(catalog, replicas);
  const limits = new RateLimits();
  const rooms = new AwarenessRooms((document, listener) => {
    const zone = catalog.workspace(workspaceOf(document))?.zone;
    return zone === undefined ? undefined : replicas.get(zone)?.presence.share(document, listener);
  });
  const renewing = setInterval(() => rooms.renew(), RENEW_MS);
  opened.defer(() => clearInterval(renewing));
  const parts = { config, log, tokens, access, metrics, limits, rooms, readiness, stopping: stopping.signal };
  const listeners = new Listeners();
  opened.defer(() => listeners.close(ANSWER_MS));
  const http = await openHttp(parts);
  opened.defer(() => closeHttp(http, ANSWER_MS));
  const doors = openDoors(http.server, parts);
  opened.defer(() => doors.close());
  opened.defer(() => {
    stopping.abort();
    listeners.refuse();
  });

  await listeners.listen(http, config.listen);
  log.info({ zones: zones.map(({ zone }) => zone), port: config.listen.port }, 'serving');
  await aborted(signal);
  log.info('stopping');
}

/** What decides about strong changes, for all zones of this region. */
const openDirectory = ({ region, directory }: Config): NatsDirectory | undefined =>
  directory === undefined ? undefined : new NatsDirectory({ region, ...directory });

/** Starts to publish and to receive. */
function openZone(
  config: Config,
  { zone, nats, peers }: Config['zones'][number],
  database: Database,
  workspaces: readonly Founding[],
  directory: Directory | undefined,
  notice: (notice: Notice) => void,
): Zone {
  const bus = openNatsBus({ region: config.region, zone, nats, peers });
  const regions = [config.region, ...peers.map(({ region }) => region)];
  const store = database.zone(zone);
  const replica = new Replica({
    region: config.region,
    regions,
    store,
    bus,
    time,
    random,
    workspaces,
    ...(directory === undefined ? {} : { directory }),
    notice,
  });
  const running = new AbortController();
  const working = replica.run(running.signal);
  const close = async (): Promise<void> => {
    replica.presence.goodbye();
    await drained(replica);
    running.abort();
    await bus.close();
    await working;
  };
  return { zone, replica, close };
}

async function closeAll(zones: readonly Zone[]): Promise<void> {
  await Promise.all(zones.map(({ close }) => close()));
}

/** A database that does not answer must not keep the process: its commits in flight are nobody's acknowledgement. */
async function drained(replica: Replica): Promise<void> {
  const patience = AbortSignal.timeout(DRAIN_MS);
  await Promise.race([replica.drained(patience), aborted(patience)]);
}

async function readinessOf(region: string, database: Database, zones: readonly Zone[]): Promise<Readiness> {
  const ready = await database.healthy();
  return {
    ready,
    region,
    ...(ready ? {} : { why: 'Postgres does not answer' }),
    zones: zones.map(({ zone, replica }) => ({
      zone,
      nats: replica.publisher.connected ? 'up' : 'down',
      waiting: replica.waiting,
      peers: replica.peers(),
      diverged: replica.diverged,
      parked: replica.parked,
    })),
  };
}

const sampleOf = ({ zone, replica }: Zone): Sample => ({
  zone,
  appendsWaiting: replica.waiting.appends,
  publishesWaiting: replica.waiting.publishes,
  publishBytesWaiting: replica.waiting.publishBytes,
  oldestUnpublishedMs: replica.waiting.oldestMs,
  documents: replica.documents.size,
  fromFuture: replica.clock.fromFuture,
  natsUp: replica.publisher.connected,
  peers: replica.peers(),
  diverged: replica.diverged,
  compactor: replica.compactor.counts,
  quarantined: replica.compactor.quarantined,
});

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
