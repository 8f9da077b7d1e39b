import { Replica, type Notice } from '@causeway/replica';
import { openNatsBus } from '@causeway/replication';
import { openPostgres } from '@causeway/store';
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { Access } from './access.ts';
import { Catalog } from './catalog.ts';
import type { Config } from './config/read.ts';
import { openHttp } from './gateway/http.ts';
import type { Readiness } from './gateway/operations.ts';
import { SyncDoor } from './gateway/sync/door.ts';
import { Metrics, type Sample } from './metrics.ts';
import { Tokens } from './tokens.ts';

/** How long a stopping process waits for what it accepted to be committed and published. */
const DRAIN_MS = 5_000;

/** Time and randomness of the real world. */
const time = {
  now: () => Date.now(),
  sleep: (ms: number, signal?: AbortSignal): Promise<void> =>
    sleep(ms, undefined, signal === undefined ? {} : { signal }).catch(() => undefined),
};
const random = { bytes: (count: number): Uint8Array => randomBytes(count) };

/**
 * Runs the server of one region until the signal fires: Postgres, a replica and a bus per zone,
 * the doors. Rejects when it cannot start; stops cleanly, what it accepted first.
 */
export async function runRegion(config: Config, log: Logger, signal: AbortSignal): Promise<void> {
  const database = await openPostgres(config.postgres, { region: config.region });
  const running = new AbortController();
  const zones = config.zones.map(({ zone, nats, peers }) => {
    const bus = openNatsBus({ region: config.region, zone, nats, peers });
    const replica = new Replica({
      region: config.region,
      regions: [config.region, ...peers.map(({ region }) => region)],
      store: database.zone(zone),
      bus,
      time,
      random,
      notice: (notice) => report(zone, notice),
    });
    return { zone, bus, replica };
  });

  const samples = (): Sample[] =>
    zones.map(({ zone, replica }) => ({
      zone,
      appendsWaiting: replica.waiting.appends,
      publishesWaiting: replica.waiting.publishes,
      documents: replica.documents.size,
      fromFuture: replica.clock.fromFuture,
      natsUp: replica.publisher.connected,
      peers: replica.peers(),
    }));
  const metrics = new Metrics(config.region, samples);

  function report(zone: string, { what, ...detail }: Notice): void {
    metrics.notice(what);
    log[what === 'bus-up' ? 'info' : 'warn']({ zone, ...detail }, what);
  }

  const readiness = async (): Promise<Readiness> => {
    const ready = await database.healthy();
    return {
      ready,
      region: config.region,
      ...(ready ? {} : { why: 'Postgres does not answer' }),
      zones: zones.map(({ zone, replica }) => ({
        zone,
        nats: replica.publisher.connected ? 'up' : 'down',
        waiting: replica.waiting,
        peers: replica.peers(),
      })),
    };
  };

  const tokens = await Tokens.open(config);
  const access = new Access(new Catalog(config), new Map(zones.map(({ zone, replica }) => [zone, replica])));
  const http = await openHttp({ config, log, tokens, access, metrics, readiness });
  const door = new SyncDoor(http.server, { tokens, access, metrics });
  const working = zones.map(({ replica }) => replica.run(running.signal));
  try {
    await http.listen(config.listen);
    log.info({ zones: zones.map(({ zone }) => zone), port: config.listen.port }, 'serving');
    await aborted(signal);
    log.info('stopping');
  } finally {
    await door.close();
    await http.close();
    await Promise.all(zones.map(({ replica }) => replica.drained(AbortSignal.timeout(DRAIN_MS))));
    running.abort();
    await Promise.all(zones.map(({ bus }) => bus.close()));
    await Promise.all(working);
    await database.close();
  }
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
