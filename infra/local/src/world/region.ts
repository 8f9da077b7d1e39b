import { WorldError } from '../error.ts';
import { isFilled } from './directory.ts';
import { hear, NOTHING, together } from './hearing.ts';
import { Part, type Process } from './part.ts';
import { SERVERS, type PartName, type PartStatus, type RegionStatus, type ServerName } from './status.ts';

/** How to start the parts of one region; absent ones run elsewhere, or not at all. */
export type RegionPlan = {
  region: string;
  /** Of its servers, in their order; of the first one also when it is not started here. */
  urls: readonly string[];
  zones: string[];
  ports: Readonly<Record<PartName, number>>;
  directoryMonitor: number;
  start: { [part in PartName]?: (signal: AbortSignal) => Promise<Process> };
  supervise: boolean;
  /** Whether parts that are not started here run elsewhere. */
  external: readonly PartName[];
  report(line: string): void;
};

const STORES = ['postgres', 'nats', 'directory'] as const;

/** In messages. */
export const titleOf = (part: PartName): string =>
  ({ server: 'the server', nats: 'NATS', postgres: 'Postgres', directory: 'the directory' })[
    part as string
  ] ?? part;

/** The processes of one region. */
export class LocalRegion {
  readonly #plan: RegionPlan;
  readonly #parts = new Map<PartName, Part>();

  constructor(plan: RegionPlan) {
    this.#plan = plan;
    for (const [name, start] of Object.entries(plan.start) as [
      PartName,
      (signal: AbortSignal) => Promise<Process>,
    ][])
      this.#parts.set(
        name,
        new Part({
          name: `${titleOf(name)} of ${plan.region}`,
          start,
          supervise: plan.supervise,
          report: plan.report,
        }),
      );
  }

  async startStores(): Promise<void> {
    await Promise.all(STORES.map((store) => this.#parts.get(store)?.start()));
  }

  async startServers(): Promise<void> {
    await Promise.all(this.#servers().map((server) => this.#parts.get(server)!.start()));
  }

  async stopServers(): Promise<void> {
    await Promise.all(this.#servers().map((server) => this.#parts.get(server)!.stop()));
  }

  /** Stops a part if it is started here. */
  async stopPart(name: PartName): Promise<void> {
    await this.#parts.get(name)?.stop();
  }

  /** SIGKILL to a part, or to all that are started here. They stay dead until they are started. */
  async kill(name?: string): Promise<void> {
    await Promise.all(this.#these(name).map((part) => part.kill()));
  }

  /** Stops a part, or all that run, where they are. */
  async pause(name?: string): Promise<void> {
    const parts = this.#these(name).filter(({ state }) => name !== undefined || state === 'ready');
    if (parts.length === 0) throw new WorldError(`Nothing of ${this.#plan.region} runs.`);
    await Promise.all(parts.map((part) => part.pause()));
  }

  /** Lets a part, or all that are paused, go on. */
  async resume(name?: string): Promise<void> {
    const parts = this.#these(name).filter(({ state }) => name !== undefined || state === 'paused');
    if (parts.length === 0) throw new WorldError(`Nothing of ${this.#plan.region} is paused.`);
    await Promise.all(parts.map((part) => part.resume()));
  }

  /** Starts a part, or all of them in their order, after stopping it if it runs. */
  async restart(name?: string): Promise<void> {
    if (name !== undefined) return this.part(name).restart();
    await this.stopServers();
    await Promise.all(STORES.map((store) => this.#parts.get(store)?.restart()));
    await this.startServers();
  }

  /** Throws `WorldError` for what is no part of this region, or not started here. */
  part(name: string): Part {
    const part = this.#parts.get(name as PartName);
    if (part !== undefined) return part;
    const { region, urls } = this.#plan;
    const known: PartName[] = [
      ...SERVERS.slice(0, urls.length),
      'nats',
      'postgres',
      ...(this.#parts.has('directory') ? (['directory'] as const) : []),
    ];
    const found = known.find((each) => each === name);
    throw new WorldError(
      found === undefined
        ? `There is no part "${name}" in ${region}. Parts: ${known.join(', ')}.`
        : `This world does not run ${titleOf(found)} of ${region} itself.`,
    );
  }

  async status(): Promise<RegionStatus> {
    const { region, urls, zones } = this.#plan;
    const servers = await Promise.all(
      SERVERS.slice(0, urls.length).map(async (name, nth) => {
        const status = this.#of(name);
        const heard = status.state === 'ready' ? await hear(urls[nth]!) : { ready: false, hearing: NOTHING };
        return { name, status, ...heard };
      }),
    );
    const { zones: waiting, ...hearing } = together(servers.map(({ hearing }) => hearing));
    return {
      region,
      url: urls[0]!,
      urls: [...urls],
      zones,
      ready: servers.some(({ ready }) => ready),
      parts: {
        server: { state: 'off' },
        ...Object.fromEntries(
          servers.map(({ name, status, ready }) => [
            name,
            status.state === 'ready' ? { ...status, ready } : status,
          ]),
        ),
        nats: this.#of('nats'),
        postgres: this.#of('postgres'),
        ...(this.#parts.has('directory') ? { directory: await this.#member() } : {}),
      },
      ...hearing,
      waiting,
    };
  }

  #these(name: string | undefined): Part[] {
    return name === undefined ? [...this.#parts.values()] : [this.part(name)];
  }

  #servers(): ServerName[] {
    return SERVERS.filter((name) => this.#parts.has(name));
  }

  async #member(): Promise<PartStatus> {
    const status = this.#of('directory');
    if (status.state !== 'ready') return status;
    return { ...status, ready: await isFilled(this.#plan.directoryMonitor) };
  }

  #of(name: PartName): PartStatus {
    const part = this.#parts.get(name);
    if (part === undefined) return { state: this.#plan.external.includes(name) ? 'external' : 'off' };
    const port = this.#plan.ports[name];
    return { state: part.state, port, ...(part.pid === undefined ? {} : { pid: part.pid }) };
  }
}
