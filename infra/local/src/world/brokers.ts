import { join } from 'node:path';
import type { Manifest } from '@causeway/region';
import { appUser, natsConfig, peerUser } from '../nats/index.ts';
import { WorldError } from '../error.ts';
import { regionsOf, zonesOf, type Ports } from './layout.ts';
import type { Secrets } from './secrets.ts';

type Credentials = Manifest['zones'][number]['nats'];

/** Every user of every broker has a password of its own. */
const purpose = (zone: string, server: string, user: string): string => `nats ${zone} ${server} ${user}`;

/** The configuration of a region's broker: one account per zone that the region is in. */
export function brokerConfig(
  region: string,
  from: { home: string; running: readonly string[]; ports: Ports; secrets: Secrets },
): string {
  const { home, running, ports, secrets } = from;
  const zones = zonesOf(region).map((zone) => ({
    zone,
    app: secrets.password(purpose(zone, region, region)),
    peers: regionsOf(zone, running)
      .filter((peer) => peer !== region)
      .map((peer) => ({ region: peer, password: secrets.password(purpose(zone, region, peer)) })),
  }));
  return natsConfig({
    region,
    port: ports.nats(region),
    storeDir: join(home, 'regions', region, 'nats', 'streams'),
    zones,
    sys: secrets.password(purpose('', region, 'sys')),
  });
}

/** As whom, and at which port, `reader` opens the zone's account on the broker of `of`. */
export function brokerCredentials(
  zone: string,
  reader: string,
  of: string,
  from: { ports: Ports; secrets: Secrets },
): Credentials {
  const { ports, secrets } = from;
  const password = secrets.password(purpose(zone, of, reader));
  if (reader === of) return { url: natsUrl(ports.nats(of)), user: appUser(zone), password };
  return { url: natsUrl(ports.link(reader, of)), user: peerUser(zone, reader), password };
}

export const natsUrl = (port: number): string => `nats://127.0.0.1:${port}`;

/**
 * The broker that `NATS_URL` names. It has one account, so it serves one region of one zone: the
 * streams of two zones would claim the same subjects.
 */
export function existingBroker(url: string, running: readonly string[]): Credentials {
  const [only, ...others] = running;
  if (only === undefined || others.length > 0 || zonesOf(only).length > 1)
    throw new WorldError(
      'NATS_URL serves a world of one region that is in one zone: ' +
        'start with --regions us-east (or ap-south), or unset NATS_URL to have brokers started here.',
    );
  if (!URL.canParse(url))
    throw new WorldError('NATS_URL is not a URL; it looks like nats://user:password@host:4222.');
  const { protocol, host, username, password } = new URL(url);
  return {
    url: `${protocol}//${host}`,
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
  };
}
