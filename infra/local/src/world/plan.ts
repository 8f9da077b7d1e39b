import { mkdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { WorldError } from '../error.ts';
import type { Target } from '../links/index.ts';
import { findNatsServer, startNats } from '../nats/index.ts';
import { pauseTree } from '../pause.ts';
import { postgresDataFolder, startPostgres } from '../postgres/index.ts';
import { brokerConfig, brokerCredentials, existingBroker, natsUrl } from './brokers.ts';
import { natsCacheFolder } from './claim.ts';
import { existingDatabase } from './databases.ts';
import type { Workspace } from './demo.ts';
import { directoryCredentials, directoryMembers, memberConfig } from './directory.ts';
import { zonesOf, type Ports } from './layout.ts';
import { openLog } from './log-file.ts';
import { manifestOf, urlOf, type ManifestSources } from './manifest.ts';
import type { WorldOptions } from './options.ts';
import type { Process } from './part.ts';
import { LocalRegion, titleOf } from './region.ts';
import { writePrivately, type Secrets } from './secrets.ts';
import { REGION_SERVER, rebuildViews, startServer } from './server.ts';
import { SERVERS, type ServerName } from './status.ts';

/** Where one region of a world is. */
export type WorldRegion = {
  region: string;
  /** HTTP and WebSocket of its first server. */
  url: string;
  /** The same of all its servers; clients may use any. */
  urls: string[];
  /** With the password; a superuser when the world runs Postgres itself. */
  postgresUrl: string;
  /** Without credentials; they are in the manifest. */
  natsUrl: string;
  zones: string[];
  /** What its first server reads: `CAUSEWAY_CONFIG`. The others differ in where they listen. */
  manifestFile: string;
};

/** A region and how to bring it up. */
export type PlannedRegion = {
  readonly local: LocalRegion;
  /** Where to find its broker, for the links. */
  readonly broker: Target;
  /** Postgres and NATS together, then the manifest, then the server. Once called off, nothing more. */
  start(calledOff: AbortSignal): Promise<void>;
  /** `skewMs`: how far a server's clock is ahead until the next restart. */
  restart(part: string | undefined, skewMs: number | undefined): Promise<void>;
  /** Kills everything of it, deletes what it stored, and starts it again. */
  wipe(calledOff: AbortSignal): Promise<void>;
  rebuild(onLine: (line: string) => void, calledOff: AbortSignal): Promise<void>;
  /** Once it has started. */
  where(): WorldRegion;
};

export type WorldPlan = Omit<WorldOptions, 'regions' | 'basePort' | 'servers'> & {
  running: readonly string[];
  /** Of each region; 0 for none. */
  servers: number;
  ports: Ports;
  secrets: Secrets;
  workspaces: readonly Workspace[];
  onProgress: NonNullable<WorldOptions['onProgress']>;
  onEvent: NonNullable<WorldOptions['onEvent']>;
};

/** Servers that run already, and a broker program when we start brokers ourselves. */
type Found = {
  database: string | undefined;
  broker: ReturnType<typeof existingBroker> | undefined;
  natsServer(): Promise<string>;
};

/** Plans all regions; nothing is started yet. Throws `WorldError` when `NATS_URL` does not suit. */
export function planRegions(plan: WorldPlan): Map<string, PlannedRegion> {
  const env = plan.env ?? process.env;
  const { DATABASE_URL: database, NATS_URL: nats } = env;
  let natsServer: Promise<string> | undefined;
  const found: Found = {
    database: database === '' ? undefined : database,
    broker: nats === undefined || nats === '' ? undefined : existingBroker(nats, plan.running),
    natsServer: () => (natsServer ??= lookForNats(env, plan.onProgress)),
  };
  return new Map(plan.running.map((region) => [region, planRegion(region, plan, found)]));
}

function planRegion(region: string, plan: WorldPlan, found: Found): PlannedRegion {
  const { ports, onProgress } = plan;
  const folder = join(plan.home, 'regions', region);
  const dataFolder = join(folder, 'postgres');
  const servers = SERVERS.slice(0, plan.servers);
  const urls = SERVERS.slice(0, Math.max(1, plan.servers)).map((_, nth) => urlOf(ports.server(region, nth)));
  const manifestFile = (name: ServerName): string =>
    join(folder, name === 'server' ? 'manifest.json' : `manifest-of-${name}.json`);
  const zones = zonesOf(region);
  const skews = new Map<ServerName, number>();
  let postgresUrl = '';

  const startDatabase = async (): Promise<Process> => {
    const running = await startPostgres({
      dataDir: dataFolder,
      port: ports.postgres(region),
      log: openLog(plan.home, `${region}-postgres`),
    });
    postgresUrl = running.url;
    return processOf(running);
  };
  const startBroker = async (): Promise<Process> =>
    processOf(
      await startNats({
        binary: await found.natsServer(),
        dir: join(folder, 'nats'),
        port: ports.nats(region),
        config: brokerConfig(region, plan),
        log: openLog(plan.home, `${region}-nats`),
      }),
    );
  const startMember = async (): Promise<Process> =>
    processOf(
      await startNats({
        binary: await found.natsServer(),
        dir: join(folder, 'directory'),
        port: ports.directory(region),
        config: memberConfig(region, plan),
        log: openLog(plan.home, `${region}-directory`),
      }),
    );
  const program = { region, entry: plan.serverEntry ?? REGION_SERVER };
  const startRegionServer =
    (name: ServerName, nth: number) =>
    (signal: AbortSignal): Promise<Process> =>
      startServer(
        {
          ...program,
          title: `${titleOf(name)} of ${region}`,
          manifestFile: manifestFile(name),
          url: urls[nth]!,
          log: openLog(plan.home, `${region}-${name}`),
          skewMs: skews.get(name) ?? 0,
        },
        signal,
      );

  const local = new LocalRegion({
    region,
    urls,
    zones,
    ports: {
      ...portsOfServers(region, ports),
      nats: ports.nats(region),
      postgres: ports.postgres(region),
      directory: ports.directory(region),
    },
    directoryMonitor: ports.directoryMonitor(region),
    start: {
      ...(found.database === undefined ? { postgres: startDatabase } : {}),
      ...(found.broker === undefined ? { nats: startBroker } : {}),
      ...(found.broker === undefined && directoryMembers(plan.running).includes(region)
        ? { directory: startMember }
        : {}),
      ...Object.fromEntries(servers.map((name, nth) => [name, startRegionServer(name, nth)])),
    },
    external: [
      ...(found.database === undefined ? [] : (['postgres'] as const)),
      ...(found.broker === undefined ? [] : (['nats'] as const)),
    ],
    supervise: plan.supervise ?? true,
    report: plan.onEvent,
  });

  const bringUp = async (calledOff: AbortSignal, say: (text: string) => void): Promise<void> => {
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    say('starting Postgres and NATS');
    if (found.database !== undefined) postgresUrl = await existingDatabase(found.database, region);
    calledOff.throwIfAborted();
    await local.startStores();
    calledOff.throwIfAborted();
    for (const [nth, name] of SERVERS.slice(0, urls.length).entries()) {
      const manifest = manifestOf(region, sourcesOf(plan, found, postgresUrl), nth);
      writePrivately(manifestFile(name), JSON.stringify(manifest, null, 2));
    }
    say(servers.length > 1 ? `starting ${servers.length} servers` : 'starting the server');
    await local.startServers();
  };

  return {
    local,
    broker: { host: '127.0.0.1', port: ports.nats(region) },
    async start(calledOff) {
      await bringUp(calledOff, (text) => onProgress({ step: region, state: 'running', text }));
      onProgress({ step: region, state: 'done', text: urls.join(' ') });
    },
    async restart(part, skewMs) {
      const server = servers.find((name) => name === part);
      if (server !== undefined) skews.set(server, skewMs ?? 0);
      else if (skewMs !== undefined) throw new WorldError('Only a server can have a clock of its own.');
      await local.restart(part);
    },
    async wipe(calledOff) {
      if (found.database !== undefined || found.broker !== undefined)
        throw new WorldError(
          `${region} keeps its data in servers that this world does not run (DATABASE_URL, NATS_URL): wipe them there.`,
        );
      await local.kill();
      calledOff.throwIfAborted();
      for (const stored of [postgresDataFolder(dataFolder), join(folder, 'nats'), join(folder, 'directory')])
        await rm(stored, { recursive: true, force: true });
      await bringUp(calledOff, () => undefined);
    },
    rebuild: (onLine, calledOff) =>
      rebuildViews(
        { ...program, manifestFile: manifestFile('server'), log: openLog(plan.home, `${region}-rebuild`) },
        onLine,
        calledOff,
      ),
    where: () => ({
      region,
      url: urls[0]!,
      urls: [...urls],
      postgresUrl,
      natsUrl: found.broker?.url ?? natsUrl(ports.nats(region)),
      zones,
      manifestFile: manifestFile('server'),
    }),
  };
}

const portsOfServers = (region: string, ports: Ports): Record<ServerName, number> =>
  Object.fromEntries(SERVERS.map((name, nth) => [name, ports.server(region, nth)])) as Record<
    ServerName,
    number
  >;

function sourcesOf(plan: WorldPlan, found: Found, postgresUrl: string): ManifestSources {
  return {
    running: plan.running,
    ports: plan.ports,
    postgresUrl,
    broker: (zone, reader, of) => found.broker ?? brokerCredentials(zone, reader, of, plan),
    publicKey: plan.secrets.publicKey,
    directory: (region) => (found.broker === undefined ? directoryCredentials(region, plan) : undefined),
    workspaces: plan.workspaces,
  };
}

async function lookForNats(
  env: Readonly<Record<string, string | undefined>>,
  onProgress: WorldPlan['onProgress'],
): Promise<string> {
  const say = (state: 'running' | 'done', text: string): void =>
    onProgress({ step: 'nats-server', state, text });
  say('running', 'looking for nats-server');
  const { path, version } = await findNatsServer({
    cache: natsCacheFolder(),
    env,
    onProgress: (text) => say('running', text),
  });
  say('done', `nats-server ${version}`);
  return path;
}

type Started = {
  child: { pid: number; exited: Promise<unknown> };
  stop(): Promise<void>;
  kill(): Promise<void>;
};

const processOf = ({ child, stop, kill }: Started): Process => ({
  pid: child.pid,
  exited: child.exited,
  stop,
  kill,
  pause: () => pauseTree(child.pid),
});
