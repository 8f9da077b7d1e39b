import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import {
  createLinks,
  directoryConfig,
  findNatsServer,
  natsCacheFolder,
  startNats,
  type Links,
  type NatsServer,
} from '@causeway/local';
import { NatsDirectory } from './nats-directory.ts';
import { freePort } from './nats-test-world.ts';

export const MEMBERS = ['us', 'eu', 'ap'] as const;
export type Member = (typeof MEMBERS)[number];

/** A directory of three real members, and the roads between them. */
export type DirectoryWorld = {
  readonly links: Links;
  /** As a region asks it: at the member of its own. */
  at(region: Member): NatsDirectory;
  kill(member: Member): Promise<void>;
  start(member: Member): Promise<void>;
  close(): Promise<void>;
};

export async function openDirectoryWorld(delayMs: number): Promise<DirectoryWorld> {
  const { path: binary } = await findNatsServer({ cache: natsCacheFolder() });
  const folder = mkdtempSync(`${tmpdir()}/causeway-directory-`);
  const ports = new Map<Member, { client: number; route: number }>();
  for (const member of MEMBERS) ports.set(member, { client: await freePort(), route: await freePort() });
  const links = await createLinks({
    targets: targetsOf((member) => ports.get(member)!.client),
    services: { route: { targets: targetsOf((member) => ports.get(member)!.route) } },
    delays: () => delayMs,
  });
  const servers = new Map<Member, NatsServer>();
  const start = async (member: Member): Promise<void> => {
    const others = MEMBERS.filter((other) => other !== member);
    const { client, route } = ports.get(member)!;
    const config = directoryConfig({
      region: member,
      port: client,
      storeDir: `${folder}/${member}/js`,
      users: MEMBERS.map((region) => ({ region, password: 'region' })),
      sys: 'sys',
      cluster: {
        port: route,
        password: 'member',
        others: others.map((other) => links.port(member, other, 'route')),
      },
    });
    servers.set(
      member,
      await startNats({
        binary,
        dir: `${folder}/${member}`,
        port: client,
        config,
        log: `${folder}/${member}.log`,
        onParentDeath: 'SIGKILL',
      }),
    );
  };
  await Promise.all(MEMBERS.map(start));
  const opened: NatsDirectory[] = [];
  return {
    links,
    at(region) {
      const url = servers.get(region)!.url;
      const directory = new NatsDirectory({
        region,
        nats: { url, user: region, password: 'region' },
        members: MEMBERS.length,
      });
      opened.push(directory);
      return directory;
    },
    kill: async (member) => servers.get(member)!.kill(),
    start,
    async close() {
      await Promise.all(opened.map((directory) => directory.close()));
      await links.close();
      await Promise.all([...servers.values()].map((server) => server.kill()));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

const targetsOf = (port: (member: Member) => number): Record<string, { host: string; port: number }> =>
  Object.fromEntries(MEMBERS.map((member) => [member, { host: '127.0.0.1', port: port(member) }]));
