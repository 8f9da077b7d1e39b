import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Target } from '../links/index.ts';
import { findNatsServer, startNats } from '../nats/index.ts';
import { startPostgres } from '../postgres/index.ts';
import { brokerConfig, brokerCredentials, existingBroker, natsUrl } from './brokers.ts';
import { natsCacheFolder } from './claim.ts';
import { existingDatabase } from './databases.ts';
import type { Workspace } from './demo.ts';
import { zonesOf, type Ports } from './layout.ts';
import { openLog } from './log-file.ts';
import { manifestOf, urlOf, type ManifestSources } from './manifest.ts';
import type { WorldOptions } from './options.ts';
import type { Process } from './part.ts';
import { LocalRegion } from './region.ts';
import { writePrivately, type Secrets } from './secrets.ts';
import { REGION_SERVER, startServer } from './server.ts';

/** Where one region of a world is. */
export type WorldRegion = {
  region: string;
  /** HTTP and WebSocket. */
  url: string;
  /** With the password; a superuser when the world runs Postgres itself. */
  postgresUrl: string;
  /** Without credentials; they are in the manifest. */
  natsUrl: string;
  zones: string[];
  /** What its server reads: `CAUSEWAY_CONFIG`. */
  manifestFile: string;
};

/** A region and how to bring it up. */
export type PlannedRegion = {
  readonly local: LocalRegion;
  /** Where to find its broker, for the links. */
  readonly broker: Target;
  /** Postgres and NATS together, then the manifest, then the server. Once called off, nothing more. */
  start(calledOff: AbortSignal): Promise<void>;
  /** Once it has started. */
  where(): WorldRegion;
};

export type WorldPlan = Omit<WorldOptions, 'regions' | 'basePort'> & {
  running: readonly string[];
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
  const manifestFile = join(folder, 'manifest.json');
  const url = urlOf(ports.region(region));
  const zones = zonesOf(region);
  let postgresUrl = '';

  const startDatabase = async (): Promise<Process> => {
    const running = await startPostgres({
      dataDir: join(folder, 'postgres'),
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
  const startRegionServer = (signal: AbortSignal): Promise<Process> =>
    startServer(
      {
        region,
        entry: plan.serverEntry ?? REGION_SERVER,
        manifestFile,
        url,
        log: openLog(plan.home, `${region}-server`),
      },
      signal,
    );

  const local = new LocalRegion({
    region,
    url,
    zones,
    ports: { server: ports.region(region), nats: ports.nats(region), postgres: ports.postgres(region) },
    start: {
      ...(found.database === undefined ? { postgres: startDatabase } : {}),
      ...(found.broker === undefined ? { nats: startBroker } : {}),
      ...(plan.servers === false ? {} : { server: startRegionServer }),
    },
    external: [
      ...(found.database === undefined ? [] : (['postgres'] as const)),
      ...(found.broker === undefined ? [] : (['nats'] as const)),
    ],
    supervise: plan.supervise ?? true,
    report: plan.onEvent,
  });

  return {
    local,
    broker: { host: '127.0.0.1', port: ports.nats(region) },
    async start(calledOff) {
      mkdirSync(folder, { recursive: true, mode: 0o755 });
      onProgress({ step: region, state: 'running', text: 'starting Postgres and NATS' });
      if (found.database !== undefined) postgresUrl = await existingDatabase(found.database, region);
      calledOff.throwIfAborted();
      await local.startStores();
      calledOff.throwIfAborted();
      const manifest = manifestOf(region, sourcesOf(plan, found, postgresUrl));
      writePrivately(manifestFile, JSON.stringify(manifest, null, 2));
      onProgress({ step: region, state: 'running', text: 'starting the server' });
      await local.startServer();
      onProgress({ step: region, state: 'done', text: url });
    },
    where: () => ({
      region,
      url,
      postgresUrl,
      natsUrl: found.broker?.url ?? natsUrl(ports.nats(region)),
      zones,
      manifestFile,
    }),
  };
}

function sourcesOf(plan: WorldPlan, found: Found, postgresUrl: string): ManifestSources {
  return {
    running: plan.running,
    ports: plan.ports,
    postgresUrl,
    broker: (zone, reader, of) => found.broker ?? brokerCredentials(zone, reader, of, plan),
    publicKey: plan.secrets.publicKey,
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
});
