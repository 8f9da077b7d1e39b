import { resolve } from 'node:path';
import { createLinks, type Links } from '../links/index.ts';
import { claimHome } from './claim.ts';
import { startControl } from './control.ts';
import { DEMO_MEMBERS, demoWorkspaces, type Workspace } from './demo.ts';
import { WorldError } from '../error.ts';
import { requireFreePorts } from './free-ports.ts';
import { chooseRegions, chooseServers, portsFrom, regionsOf } from './layout.ts';
import { openLog } from './log-file.ts';
import { urlOf } from './manifest.ts';
import { directoryServices } from './directory.ts';
import type { WorldOptions } from './options.ts';
import { buildPage, PAGE_FOLDER, pageIsBuilt, pageIsStale } from './page.ts';
import { planRegions, type PlannedRegion, type WorldRegion } from './plan.ts';
import { openSecrets, type Secrets } from './secrets.ts';
import type { PartName, WorldStatus } from './status.ts';
import { DEFAULT_TTL_SECONDS, signToken } from './token.ts';

/** Regions on one desk, each with its own Postgres, NATS and server, and links between them. */
export type World = {
  /** Web page and control API. */
  readonly url: string;
  readonly home: string;
  readonly regions: Readonly<Record<string, WorldRegion>>;
  readonly links: Links;
  readonly workspaces: readonly Workspace[];
  /** SIGKILL; resolves when the process is gone. It stays dead until `restart`. Without a part, to all of the region. */
  kill(region: string, part?: PartName): Promise<void>;
  /** Stops it as it wants to be stopped. It stays so until `restart`. */
  stopPart(region: string, part: PartName): Promise<void>;
  /**
   * Starts it, stopping it before if it runs; resolves when it is ready. Without a part, all of
   * the region. `skewMs`: the clock of this server is ahead by so much until its next restart.
   */
  restart(region: string, part?: PartName, options?: { skewMs?: number }): Promise<void>;
  /**
   * SIGSTOP: the process and all that descend from it stay where they are, their connections
   * open, until `resume`. Without a part, all that run of the region.
   */
  pause(region: string, part?: PartName): Promise<void>;
  /** SIGCONT. Without a part, to all that are paused of the region. */
  resume(region: string, part?: PartName): Promise<void>;
  /** Loses a region with its disk: SIGKILL to all of it, its Postgres and NATS data deleted, all of it started empty. */
  wipe(region: string): Promise<void>;
  /** Rebuilds the views of a region from its log; `onLine` hears how that goes on. */
  rebuild(region: string, onLine: (line: string) => void, signal?: AbortSignal): Promise<void>;
  /** A token for `member`: 12 hours (`ttl`, in seconds) of workspace `demo`, signed by its home. */
  token(member: string, options?: { workspace?: string; region?: string; ttl?: number }): Promise<string>;
  status(): Promise<WorldStatus>;
  /** Servers, then brokers, then databases; nothing is left. Repeated calls wait for the first. */
  stop(): Promise<void>;
};

/** How long ports may stay busy after a launcher that was killed, in milliseconds. */
const PATIENCE_WITH_THE_DEAD_MS = 10_000;

/** See `startWorld`. */
export async function openWorld(options: WorldOptions): Promise<World> {
  await using starting = new AsyncDisposableStack();
  const { onProgress = () => undefined, onEvent = () => undefined } = options;
  const home = resolve(options.home);
  const running = chooseRegions(options.regions);
  const servers = chooseServers(options.servers);
  const ports = portsFrom(options.basePort);
  const url = urlOf(ports.web);
  const startedAt = Date.now();

  const claim = claimHome(home, url);
  starting.defer(() => claim.release());
  const patienceMs = claim.wasKilled ? PATIENCE_WITH_THE_DEAD_MS : 0;
  await requireFreePorts(ports, { regions: running, servers }, patienceMs);

  const secrets = await openSecrets(home);
  const workspaces = demoWorkspaces(running);
  const plan = { ...options, home, running, servers, ports, secrets, workspaces, onProgress, onEvent };
  const planned = planRegions(plan);
  const local = [...planned.values()].map(({ local }) => local);
  starting.defer(() => all(local, (region) => region.stopPart('postgres')));
  starting.defer(() => all(local, (region) => region.stopPart('nats')));
  starting.defer(() => all(local, (region) => region.stopPart('directory')));

  const links = await createLinks({
    targets: Object.fromEntries([...planned].map(([region, { broker }]) => [region, broker])),
    port: ports.link,
    services: directoryServices(plan),
    ...(options.delays === undefined ? {} : { delays: options.delays }),
  });
  starting.defer(() => links.close());
  starting.defer(() => all(local, (region) => region.stopServers()));

  const calledOff = new AbortController();
  starting.defer(() => calledOff.abort());
  const signal = AbortSignal.any([
    calledOff.signal,
    ...(options.signal === undefined ? [] : [options.signal]),
  ]);
  await unlessAborted(
    signal,
    Promise.all([
      options.page === true ? preparePage(home, signal, onProgress, onEvent) : undefined,
      ...[...planned.values()].map((region) => region.start(signal)),
    ]),
  );

  const wiping = new Map<string, Promise<void>>();
  let ending: Promise<void> | undefined;
  const world: World = {
    url,
    home,
    get regions() {
      return Object.fromEntries([...planned].map(([region, { where }]) => [region, where()]));
    },
    links,
    workspaces,
    kill: async (region, part) => find(planned, region).local.kill(part),
    stopPart: async (region, part) => find(planned, region).local.part(part).stop(),
    restart: async (region, part, { skewMs } = {}) => find(planned, region).restart(part, skewMs),
    pause: async (region, part) => find(planned, region).local.pause(part),
    resume: async (region, part) => find(planned, region).local.resume(part),
    wipe: async (region) => once(wiping, region, () => find(planned, region).wipe(calledOff.signal)),
    rebuild: async (region, onLine, signal) =>
      find(planned, region).rebuild(
        onLine,
        AbortSignal.any([calledOff.signal, ...(signal === undefined ? [] : [signal])]),
      ),
    token: (member, { workspace = workspaces[0]!.id, region, ttl = DEFAULT_TTL_SECONDS } = {}) =>
      tokenOf(secrets, running, workspaces, { member, workspace, region, ttlSeconds: ttl }),
    status: async () => ({
      url,
      home,
      pid: process.pid,
      startedAt,
      regions: await Promise.all(local.map((region) => region.status())),
      links: links.state(),
      workspaces: [...workspaces],
      members: [...DEMO_MEMBERS],
    }),
    stop: () => (ending ??= up.disposeAsync()),
  };
  const down = options.onDown ?? (() => void world.stop());
  const control = await startControl({ world, down }, { port: ports.web, pageFolder: PAGE_FOLDER });
  starting.defer(() => control.close());
  const up = starting.move();
  return world;
}

async function preparePage(
  home: string,
  signal: AbortSignal,
  onProgress: NonNullable<WorldOptions['onProgress']>,
  onEvent: NonNullable<WorldOptions['onEvent']>,
): Promise<void> {
  const say = (state: 'running' | 'done', text: string): void => onProgress({ step: 'page', state, text });
  if (!pageIsStale()) return say('done', pageIsBuilt() ? 'up to date' : 'not there');
  say('running', 'building');
  try {
    await buildPage(openLog(home, 'page'), signal);
    say('done', 'built');
  } catch (error) {
    signal.throwIfAborted();
    // The regions are of use without it.
    say('done', 'could not be built');
    onEvent((error as Error).message);
  }
}

/** Waits for a start, but no longer than it is wanted. What goes on is ended by those who started it. */
async function unlessAborted(signal: AbortSignal, start: Promise<unknown>): Promise<void> {
  const aborted = new Promise<never>((_, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  });
  await Promise.race([start, aborted]);
}

const all = async <T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> => {
  await Promise.all(items.map(work));
};

function find(planned: ReadonlyMap<string, PlannedRegion>, region: string): PlannedRegion {
  const found = planned.get(region);
  if (found === undefined)
    throw new WorldError(
      `There is no region "${region}" in this world. Regions: ${[...planned.keys()].join(', ')}.`,
    );
  return found;
}

/** While work of that name goes on, it is waited for instead of done twice at a time. */
function once(underWay: Map<string, Promise<void>>, name: string, work: () => Promise<void>): Promise<void> {
  const going = underWay.get(name);
  if (going !== undefined) return going;
  const begun = work().finally(() => underWay.delete(name));
  underWay.set(name, begun);
  return begun;
}

async function tokenOf(
  secrets: Secrets,
  running: readonly string[],
  workspaces: readonly Workspace[],
  asked: { member: string; workspace: string; region: string | undefined; ttlSeconds: number },
): Promise<string> {
  const workspace = workspaces.find(({ id }) => id === asked.workspace);
  if (workspace === undefined)
    throw new WorldError(
      `There is no workspace "${asked.workspace}" in this world. Workspaces: ${workspaces.map(({ id }) => id).join(', ')}.`,
    );
  const signers = regionsOf(workspace.zone, running);
  const region = asked.region ?? workspace.home;
  if (!signers.includes(region))
    throw new WorldError(
      `"${region}" cannot sign for "${workspace.id}". Regions of its zone: ${signers.join(', ')}.`,
    );
  return signToken(secrets, {
    member: asked.member,
    workspace: workspace.id,
    region,
    ttlSeconds: asked.ttlSeconds,
  });
}
