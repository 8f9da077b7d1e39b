import { WorldError } from '../error.ts';
import { Part, type Process } from './part.ts';
import { hearingOf, type PartName, type PartStatus, type RegionStatus } from './status.ts';
import { isReady } from './server.ts';

/** How to start the parts of one region; absent ones run elsewhere, or not at all. */
export type RegionPlan = {
  region: string;
  url: string;
  zones: string[];
  ports: Record<PartName, number>;
  start: Partial<Record<PartName, (signal: AbortSignal) => Promise<Process>>>;
  supervise: boolean;
  /** Whether parts that are not started here run elsewhere. */
  external: readonly PartName[];
  report(line: string): void;
};

const TITLES: Record<PartName, string> = { server: 'the server', nats: 'NATS', postgres: 'Postgres' };

/** The processes of one region. */
export class LocalRegion {
  readonly #plan: RegionPlan;
  readonly #parts = new Map<PartName, Part>();

  constructor(plan: RegionPlan) {
    this.#plan = plan;
    for (const [name, start] of Object.entries(plan.start) as [
      PartName,
      (s: AbortSignal) => Promise<Process>,
    ][])
      this.#parts.set(
        name,
        new Part({
          name: `${TITLES[name]} of ${plan.region}`,
          start,
          supervise: plan.supervise,
          report: plan.report,
        }),
      );
  }

  async startStores(): Promise<void> {
    await Promise.all([this.#parts.get('postgres')?.start(), this.#parts.get('nats')?.start()]);
  }

  async startServer(): Promise<void> {
    await this.#parts.get('server')?.start();
  }

  /** Stops a part if it is started here. */
  async stopPart(name: PartName): Promise<void> {
    await this.#parts.get(name)?.stop();
  }

  /** Throws `WorldError` for a part that is not started here. */
  part(name: PartName): Part {
    const part = this.#parts.get(name);
    if (part === undefined)
      throw new WorldError(`This world does not run ${TITLES[name]} of ${this.#plan.region} itself.`);
    return part;
  }

  async status(): Promise<RegionStatus> {
    const { region, url, zones } = this.#plan;
    const [ready, hearing] = await Promise.all([isReady(url), hearingOf(url)]);
    const parts = { server: this.#of('server'), nats: this.#of('nats'), postgres: this.#of('postgres') };
    return { region, url, zones, ready, parts, ...hearing };
  }

  #of(name: PartName): PartStatus {
    const part = this.#parts.get(name);
    if (part === undefined) return { state: this.#plan.external.includes(name) ? 'external' : 'off' };
    const port = this.#plan.ports[name];
    return { state: part.state, port, ...(part.pid === undefined ? {} : { pid: part.pid }) };
  }
}
