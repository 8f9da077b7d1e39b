import {
  appUser,
  createLinks,
  findBasePort,
  findNatsServer,
  natsCacheFolder,
  natsConfig,
  peerUser,
  startNats,
} from '@causeway/local';
import type { NatsBusOptions } from '@causeway/replication';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ZONE = 'global';

/** Real brokers of some regions and the road between them, without databases and servers. */
export async function openBrokers(
  regions: readonly string[],
  delayMs: number,
): Promise<{ options(region: string): NatsBusOptions } & AsyncDisposable> {
  await using opening = new AsyncDisposableStack();
  const home = await mkdtemp(join(tmpdir(), 'causeway-presence-'));
  opening.defer(() => rm(home, { recursive: true, force: true }));
  const { path: binary } = await findNatsServer({ cache: natsCacheFolder() });
  const base = await findBasePort();
  const portOf = (region: string): number => base + regions.findIndex((one) => one === region);
  for (const region of regions) {
    const peers = regions.filter((one) => one !== region).map((one) => ({ region: one, password: 'peer' }));
    const server = await startNats({
      binary,
      dir: join(home, region),
      port: portOf(region),
      config: natsConfig({
        region,
        port: portOf(region),
        storeDir: join(home, region, 'js'),
        zones: [{ zone: ZONE, app: 'app', peers }],
        sys: 'sys',
      }),
      log: join(home, `${region}.log`),
      onParentDeath: 'SIGKILL',
    });
    opening.defer(() => server.kill());
  }
  const targets = Object.fromEntries(
    regions.map((region) => [region, { host: '127.0.0.1', port: portOf(region) }]),
  );
  const links = await createLinks({ targets, delays: () => delayMs });
  opening.defer(() => links.close());
  const opened = opening.move();
  return {
    options: (region) => ({
      region,
      zone: ZONE,
      nats: { url: `nats://127.0.0.1:${portOf(region)}`, user: appUser(ZONE), password: 'app' },
      peers: regions
        .filter((peer) => peer !== region)
        .map((peer) => ({
          region: peer,
          nats: {
            url: `nats://127.0.0.1:${links.port(region, peer)}`,
            user: peerUser(ZONE, region),
            password: 'peer',
          },
        })),
    }),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}
