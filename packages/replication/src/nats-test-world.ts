import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import {
  appUser,
  createLinks,
  findNatsServer,
  natsCacheFolder,
  natsConfig,
  peerUser,
  startNats,
  type Links,
  type NatsServer,
} from '@causeway/local';
import { jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { streamOfZone } from '@causeway/protocol';
import type { Bus } from '@causeway/replica';
import type { BusWorld } from './contract-world.ts';
import { openNatsBus } from './nats-bus.ts';
import type { NatsAddress } from './nats-link.ts';

export type Region = 'us' | 'eu';
export const REGIONS = ['us', 'eu'] as const;
export const ZONE = 'global';
export const STREAM = streamOfZone(ZONE);
const other = (region: Region): Region => (region === 'us' ? 'eu' : 'us');

/** Two real brokers and the road between them. The account of zone `eu` exists on the one of `eu` only. */
export type NatsWorld = BusWorld & {
  readonly links: Links;
  readonly servers: Readonly<Record<Region, NatsServer>>;
  /** How `reader` reaches `of`: as itself at home, as a peer over the link elsewhere. */
  address(reader: Region, of: Region): NatsAddress;
  /** A connection as somebody, past the link. */
  as(of: Region, user: string, password: string, inboxPrefix?: string): Promise<NatsConnection>;
  /** What the operator of a region may do. */
  manager(region: Region): Promise<JetStreamManager>;
};

export async function openNatsWorld(options: { delayMs?: number } = {}): Promise<NatsWorld> {
  const { delayMs = 0 } = options;
  const { path: binary } = await findNatsServer({ cache: natsCacheFolder() });
  const folder = mkdtempSync(`${tmpdir()}/causeway-nats-`);
  const ports = { us: await freePort(), eu: await freePort() };
  const start = (region: Region): Promise<NatsServer> =>
    startNats({
      binary,
      dir: `${folder}/${region}`,
      port: ports[region],
      config: configOf(region, ports[region], `${folder}/${region}/js`),
      log: `${folder}/${region}.log`,
      onParentDeath: 'SIGKILL',
    });
  const servers = { us: await start('us'), eu: await start('eu') };
  const target = (region: Region) => ({ host: '127.0.0.1', port: ports[region] });
  const links = await createLinks({
    targets: { us: target('us'), eu: target('eu') },
    delays: () => delayMs,
  });

  const connections: NatsConnection[] = [];
  const buses: Bus[] = [];
  const address = (reader: Region, of: Region): NatsAddress =>
    reader === of
      ? { url: servers[of].url, user: appUser(ZONE), password: `app-${of}` }
      : { url: `nats://127.0.0.1:${links.port(reader, of)}`, user: peerUser(ZONE, reader), password: 'peer' };
  const as = async (
    of: Region,
    user: string,
    pass: string,
    inboxPrefix = '_INBOX',
  ): Promise<NatsConnection> => {
    const options = { servers: servers[of].url, user, pass, inboxPrefix, reconnect: false };
    const connection = await connect(options);
    connections.push(connection);
    return connection;
  };
  const manager = async (region: Region): Promise<JetStreamManager> =>
    jetstreamManager(await as(region, appUser(ZONE), `app-${region}`));

  return {
    links,
    servers,
    address,
    as,
    manager,
    bus(region) {
      const peer = other(region);
      const bus = openNatsBus({
        region,
        zone: ZONE,
        nats: address(region, region),
        peers: [{ region: peer, nats: address(region, peer) }],
      });
      buses.push(bus);
      return bus;
    },
    cut: () => links.cut('us', 'eu'),
    heal: () => links.heal(),
    reset() {
      links.cut('us', 'eu', { mode: 'reset' });
      links.heal();
    },
    kill: (region) => servers[region].kill(),
    async start(region) {
      servers[region] = await start(region);
    },
    deleteStream: async (region) => void (await (await manager(region)).streams.delete(STREAM)),
    purge: async (region, sequence) =>
      void (await (await manager(region)).streams.purge(STREAM, { seq: sequence })),
    async close() {
      await Promise.all(buses.map((bus) => bus.close()));
      await Promise.all(connections.map((connection) => connection.close()));
      await links.close();
      await Promise.all(REGIONS.map((region) => servers[region].kill()));
      if (existsSync(folder)) rmSync(folder, { recursive: true });
    },
  };
}

function configOf(region: Region, port: number, storeDir: string): string {
  const peers = [{ region: other(region), password: 'peer' }];
  const zones = [{ zone: ZONE, app: `app-${region}`, peers }];
  if (region === 'eu') zones.push({ zone: 'eu', app: 'app-of-zone-eu', peers: [] });
  return natsConfig({ region, port, storeDir, zones, sys: 'sys' });
}

/** A port below the ephemeral range, so that no outgoing connection of another test takes it first. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 22_000);
    const free = await new Promise<boolean>((resolve) => {
      const server = createServer();
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
    });
    if (free) return port;
  }
}
