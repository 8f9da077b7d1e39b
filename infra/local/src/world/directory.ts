import { join } from 'node:path';
import type { Manifest } from '@causeway/region';
import { defaultDelays, type Service } from '../links/index.ts';
import { directoryConfig } from '../nats/index.ts';
import { natsUrl } from './brokers.ts';
import type { Ports } from './layout.ts';
import type { Secrets } from './secrets.ts';

const HEALTH_MS = 1_000;

type From = { home: string; running: readonly string[]; ports: Ports; secrets: Secrets };

/** The regions that keep the directory: three of them, or the first one where there are fewer. */
export const directoryMembers = (running: readonly string[]): readonly string[] =>
  running.slice(0, running.length < 3 ? 1 : 3);

/** Every region has a password of its own, the same at all members. */
const purpose = (user: string): string => `directory ${user}`;

export function memberConfig(region: string, { home, running, ports, secrets }: From): string {
  const others = directoryMembers(running).filter((other) => other !== region);
  return directoryConfig({
    region,
    port: ports.directory(region),
    monitorPort: ports.directoryMonitor(region),
    storeDir: join(home, 'regions', region, 'directory', 'bucket'),
    users: running.map((user) => ({ region: user, password: secrets.password(purpose(user)) })),
    sys: secrets.password(purpose(`sys ${region}`)),
    ...(others.length === 0
      ? {}
      : {
          cluster: {
            port: ports.directoryRoute(region),
            password: secrets.password(purpose('member')),
            others: others.map((other) => ports.routeLink(region, other)),
          },
        }),
  });
}

/** At which member, and as whom, a region asks: its own, or the nearest one. */
export function directoryCredentials(
  region: string,
  { running, ports, secrets }: From,
): NonNullable<Manifest['directory']> {
  const members = directoryMembers(running);
  const [nearest] = members.toSorted((a, b) => distance(region, a) - distance(region, b)) as [string];
  const port = nearest === region ? ports.directory(region) : ports.directoryLink(region, nearest);
  const password = secrets.password(purpose(region));
  return { nats: { url: natsUrl(port), user: region, password }, members: members.length === 1 ? 1 : 3 };
}

/** The roads of the directory: members to each other, and other regions to members. */
export function directoryServices({ running, ports }: From): Record<string, Service> {
  const members = directoryMembers(running);
  const targets = (port: (region: string) => number): Service['targets'] =>
    Object.fromEntries(members.map((member) => [member, { host: '127.0.0.1', port: port(member) }]));
  const asked = { targets: targets(ports.directory), port: ports.directoryLink };
  if (members.length === 1) return { directory: asked };
  return { directory: asked, route: { targets: targets(ports.directoryRoute), port: ports.routeLink } };
}

/**
 * Whether a member has everything that the others have. One that lost its disk does not count before that, and the
 * states of replicas that a stream tells of do not show it: they were good for up to a second before it began to fill.
 */
export async function isFilled(monitorPort: number): Promise<boolean> {
  const answer = await fetch(`http://127.0.0.1:${monitorPort}/healthz`, {
    signal: AbortSignal.timeout(HEALTH_MS),
  }).catch(() => undefined);
  return answer?.ok === true;
}

const distance = (from: string, to: string): number => (from === to ? 0 : defaultDelays(from, to));
