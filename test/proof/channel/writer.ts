import type { WorldRegion } from '@causeway/local';
import { Replica } from '@causeway/replica';
import { openNatsBus, type NatsBusOptions } from '@causeway/replication';
import { openPostgres } from '@causeway/store';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';

export const ZONE = 'global';
/** Names the writer's database sessions, so that those of the server can be told from them. */
export const WRITER = 'history';

type Manifest = { postgres: string; zones: (Pick<NatsBusOptions, 'zone' | 'nats' | 'peers'> & object)[] };

const time = {
  now: () => Date.now(),
  sleep: (ms: number, signal?: AbortSignal) =>
    pause(ms, undefined, signal === undefined ? {} : { signal }).catch(() => undefined),
};

/**
 * The write path of a server without its doors, as one more process of a region that runs: commands, group
 * commit, publication into the region's own stream.
 */
export async function openWriter({ region, manifestFile }: WorldRegion): Promise<Writer> {
  const manifest = JSON.parse(await readFile(manifestFile, 'utf8')) as Manifest;
  const { nats, peers } = manifest.zones.find(({ zone }) => zone === ZONE)!;
  const database = await openPostgres(manifest.postgres, { region: WRITER });
  const bus = openNatsBus({ region, zone: ZONE, nats, peers });
  const replica = new Replica({
    region,
    regions: [region, ...peers.map((peer) => peer.region)],
    store: database.zone(ZONE),
    bus,
    time,
    random: { bytes: (count) => randomBytes(count) },
    notice: ({ what }) => console.error(`the writer: ${what}`),
  });
  const running = new AbortController();
  const working = replica.run(running.signal);
  return {
    replica,
    close: async () => {
      await replica.drained(AbortSignal.timeout(DRAIN_MS));
      running.abort();
      await bus.close();
      await working;
      await database.close();
    },
  };
}

const DRAIN_MS = 60_000;

export type Writer = { replica: Replica; close(): Promise<void> };
