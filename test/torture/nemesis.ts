import { SERVERS, type PartName, type ServerName, type World } from '@causeway/local';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Crowd } from './crowd/crowd.ts';
import type { FaultKind, LinkFault, ProcessFault, Round, Wipe } from './plan.ts';
import { spoilStream } from './streams.ts';

/** A fault that happened. Times are milliseconds since 1970. */
export type Struck = {
  kind: FaultKind;
  /** One, or the two ends of a link. */
  regions: string[];
  detail: string;
  from: number;
  to: number;
};

export type NemesisEvents = {
  struck(fault: Struck): void;
  /** A fault that could not be carried out, or undone, as planned. */
  trouble(text: string): void;
};

const ZONE = 'global';
/** Posts that are under way in a process when it stops. */
const BURST = 40;
const STORM = 5;
const HEAL_WITHIN_MS = 120_000;

/** Carries out a plan, and repairs what it broke. */
export class Nemesis {
  readonly #world: World;
  readonly #crowd: Crowd;
  readonly #events: NemesisEvents;

  constructor(world: World, crowd: Crowd, events: NemesisEvents) {
    this.#world = world;
    this.#crowd = crowd;
    this.#events = events;
  }

  /** A round, until its process faults are over or the signal fires. The link fault in force then stays until `heal`. */
  async play({ process, link }: Round, signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    const links = this.#playLinks(link, AbortSignal.any([signal, over.signal]));
    for (const fault of process) {
      if (signal.aborted) break;
      await this.#strike(fault.kind, [fault.region], () => this.#process(fault, signal));
      await wait(fault.calmMs, signal);
    }
    over.abort();
    await links;
  }

  /** Everything that was broken works again: links, pauses, dead processes, skewed clocks. */
  async heal(): Promise<void> {
    const { links } = this.#world;
    links.heal();
    const deadline = Date.now() + HEAL_WITHIN_MS;
    for (;;) {
      const { regions } = await this.#world.status();
      const sick = regions.flatMap(({ region, parts }) =>
        // What a server needs first.
        (['postgres', 'nats', ...SERVERS] as PartName[])
          .map((part) => ({ region, part, status: parts[part] }))
          .filter(
            ({ status }) => status !== undefined && (status.state !== 'ready' || status.ready === false),
          ),
      );
      if (sick.length === 0) return;
      if (Date.now() > deadline)
        throw new Error(
          `after ${HEAL_WITHIN_MS / 1000} s: ${sick.map(({ region, part, status }) => `${part} of ${region} is ${status!.state}`).join(', ')}`,
        );
      for (const { region, part, status } of sick)
        if (status!.state === 'paused') await this.#tolerate(() => this.#world.resume(region, part));
        else if (status!.state === 'dead' || status!.state === 'stopped')
          await this.#tolerate(() => this.#world.restart(region, part));
      await sleep(200);
    }
  }

  /**
   * A region loses its disk. `gone` is called when all its processes are dead: what only this region
   * has acknowledged is then lost.
   */
  async wipe({ region, afterMs, cutOff }: Wipe, gone: () => Promise<void>): Promise<void> {
    const peers = Object.keys(this.#world.regions).filter((peer) => peer !== region);
    if (cutOff) for (const peer of peers) this.#world.links.cut(region, peer, { mode: 'reset' });
    await sleep(afterMs);
    await this.#strike('wipe', [region], async () => {
      await this.#world.kill(region);
      await gone();
      this.#world.links.heal();
      await this.#world.wipe(region);
      return cutOff ? `after ${seconds(afterMs)} without links` : 'with its links open';
    });
  }

  async #playLinks(faults: readonly LinkFault[], over: AbortSignal): Promise<void> {
    for (const fault of faults) {
      if (over.aborted) return;
      await this.#strike(fault.kind, [fault.region, fault.peer], async () => {
        const detail = await this.#link(fault, over);
        // What is in force at the end stays until the heal, so that there is something to heal.
        if (!over.aborted) this.#world.links.heal(fault.region, fault.peer);
        return detail;
      });
      await wait(fault.calmMs, over);
    }
  }

  async #strike(kind: FaultKind, regions: string[], act: () => Promise<string>): Promise<void> {
    const from = Date.now();
    try {
      const detail = await act();
      this.#events.struck({ kind, regions, detail, from, to: Date.now() });
    } catch (error) {
      this.#events.trouble(`${kind} of ${regions.join(' and ')}: ${(error as Error).message}`);
    }
  }

  async #link({ kind, region, peer, lastsMs, delayMs }: LinkFault, signal: AbortSignal): Promise<string> {
    const { links } = this.#world;
    const between = `${region} and ${peer}`;
    if (kind === 'flapping-link') {
      for (let left = 5; left > 0 && !signal.aborted; left--) {
        links.cut(region, peer, { mode: left % 2 === 0 ? 'black-hole' : 'reset' });
        await wait(lastsMs / 10, signal);
        links.heal(region, peer);
        await wait(lastsMs / 10, signal);
      }
      return `${between}, 5 times`;
    }
    if (kind === 'cut') links.cut(region, peer);
    else if (kind === 'cut-with-reset') links.cut(region, peer, { mode: 'reset' });
    else if (kind === 'cut-one-way') links.cut(region, peer, { direction: 'there' });
    else links.slow(region, peer, delayMs);
    await wait(lastsMs, signal);
    if (kind === 'cut-one-way') return `what ${region} sends to ${peer}`;
    return kind === 'slow-link' ? `${between}, ${delayMs} ms` : between;
  }

  async #process(fault: ProcessFault, signal: AbortSignal): Promise<string> {
    const { kind, region, server, lastsMs, skewMs } = fault;
    const world = this.#world;
    switch (kind) {
      case 'kill-server':
        return this.#killed(region, [server], lastsMs, signal);
      case 'kill-nats':
        return this.#killed(region, ['nats'], lastsMs, signal);
      case 'kill-postgres':
        return this.#killed(region, ['postgres'], lastsMs, signal);
      case 'kill-region':
        await world.kill(region);
        await wait(lastsMs, signal);
        await world.restart(region);
        return 'all processes at once';
      case 'pause-server':
        return this.#paused(region, server, lastsMs, signal);
      case 'pause-in-commit':
        this.#crowd.burst(region, this.#urlOf(region, server), BURST);
        // By then some of it is on its way to Postgres.
        await sleep(8);
        return this.#paused(region, server, lastsMs, signal);
      case 'pause-nats':
        return this.#paused(region, 'nats', lastsMs, signal);
      case 'pause-postgres':
        return this.#paused(region, 'postgres', lastsMs, signal);
      case 'restart-storm':
        for (let left = STORM; left > 0 && !signal.aborted; left--) {
          await world.kill(region, server);
          await world.restart(region, server);
        }
        return `${server}, ${STORM} times`;
      case 'skew-clock':
        await world.restart(region, server, { skewMs });
        await wait(lastsMs, signal);
        await world.restart(region, server);
        return `${server} by ${skewMs / 1000} s`;
      default:
        await spoilStream(world.regions[region]!, ZONE, kind.split('-')[0] as 'purge' | 'remake' | 'delete');
        await wait(lastsMs, signal);
        return 'the stream of its zone';
    }
  }

  async #killed(region: string, parts: PartName[], lastsMs: number, signal: AbortSignal): Promise<string> {
    await Promise.all(parts.map((part) => this.#world.kill(region, part)));
    await wait(lastsMs, signal);
    for (const part of parts) await this.#world.restart(region, part);
    return `${parts.join(', ')} for ${seconds(lastsMs)}`;
  }

  async #paused(region: string, part: PartName, lastsMs: number, signal: AbortSignal): Promise<string> {
    await this.#world.pause(region, part);
    await wait(lastsMs, signal);
    await this.#world.resume(region, part);
    return `${part} for ${seconds(lastsMs)}`;
  }

  #urlOf(region: string, server: ServerName): string {
    return this.#world.regions[region]!.urls[SERVERS.indexOf(server)]!;
  }

  async #tolerate(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#events.trouble((error as Error).message);
    }
  }
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

const wait = (ms: number, signal: AbortSignal): Promise<void> =>
  sleep(ms, undefined, { signal }).catch(() => undefined);
