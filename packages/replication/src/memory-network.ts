import type { Time } from '@causeway/replica';
import { MemoryBus } from './memory-bus.ts';
import type { MemoryPresence, PresenceRoad } from './memory-presence.ts';
import { MemoryStream } from './memory-stream.ts';

/** The broker of one region: its stream, and the processes that are connected to it. */
export type MemoryBroker = {
  readonly region: string;
  readonly stream: MemoryStream;
  running: boolean;
  /** Changes whenever readers lose their consumer: restarts, a re-created stream. */
  epoch: number;
  /** From taking a message to acknowledging it. */
  ackMs: number;
  /** So many of the next publishes are stored, and their acknowledgements lost. */
  acksToLose: number;
  /** From one process of the region to the others. */
  hearMs: number;
  /** So many of the next things said between the region's processes (a `tell`, a publish) reach none of them. */
  tellsToLose: number;
  /** So many of the next announcements of presence by the region's processes reach nobody. */
  announcesToLose: number;
  /** So many of the next answers to peers' questions get lost on their way. */
  answersToLose: number;
  /** By region, who reads here: the newest process takes over, since they share one consumer. */
  readonly readers: Map<string, symbol>;
  /** In the order in which they started; a closed one is not among them. */
  readonly processes: Set<MemoryBus>;
  /** How many questions it has handed on: processes get them in turn. */
  questions: number;
  /** The connections over which processes, of this region and of peers, hear presence here. */
  readonly presence: Set<PresenceRoad>;
};

/** One direction of the road between two regions. */
export type MemoryLink = {
  /** One way. */
  delayMs: number;
  open: boolean;
  /** When it was last cut or healed. */
  since: number;
  /** Changes when connections over it are reset. */
  epoch: number;
  /** Every batch arrives twice. */
  twice: boolean;
};

/** Given as the reason of a wake-up: making the default one, an exception, costs more than all else here. */
const WOKEN = 'woken';

/**
 * The brokers of one zone and the links between them, for simulations. It has no timer and no
 * randomness of its own: time is injected, faults happen when the methods below are called.
 */
export class MemoryNetwork {
  readonly time: Time;
  readonly #brokers = new Map<string, MemoryBroker>();
  readonly #links = new Map<string, MemoryLink>();
  readonly #sleepers = new Set<AbortController>();
  /** They look again when a broker or a link changes. */
  readonly presences = new Set<MemoryPresence>();

  constructor(options: { time: Time; regions: readonly string[]; delayMs?: number }) {
    this.time = options.time;
    for (const region of options.regions) {
      this.#brokers.set(region, {
        region,
        stream: new MemoryStream(region),
        running: true,
        epoch: 0,
        ackMs: 0,
        acksToLose: 0,
        hearMs: 1,
        tellsToLose: 0,
        announcesToLose: 0,
        answersToLose: 0,
        readers: new Map(),
        processes: new Set(),
        questions: 0,
        presence: new Set(),
      });
      for (const to of options.regions)
        if (to !== region)
          this.#links.set(`${region}>${to}`, {
            delayMs: options.delayMs ?? 0,
            open: true,
            since: 0,
            epoch: 0,
            twice: false,
          });
    }
  }

  /** The bus of one process of a region; closing it is how the process dies. */
  bus(region: string): MemoryBus {
    return new MemoryBus(this, this.broker(region));
  }

  get regions(): string[] {
    return [...this.#brokers.keys()];
  }

  broker(region: string): MemoryBroker {
    const broker = this.#brokers.get(region);
    if (broker === undefined) throw new Error(`the network has no region ${region}`);
    return broker;
  }

  /** Undefined where there is no road: a region of another zone. */
  findLink(from: string, to: string): MemoryLink | undefined {
    return this.#links.get(`${from}>${to}`);
  }

  /** Nothing passes from `from` to `to`, and nobody is told. The other direction is not touched. */
  cut(from: string, to: string): void {
    this.#change(from, to, { open: false, since: this.time.now() });
  }

  /** What waited arrives now; readers that have not given up go on. */
  heal(from: string, to: string): void {
    this.#change(from, to, { open: true, since: this.time.now() });
  }

  /** Connections between the two break at once; new ones are possible. */
  reset(one: string, other: string): void {
    this.#change(one, other, { epoch: this.#link(one, other).epoch + 1 });
    this.#change(other, one, { epoch: this.#link(other, one).epoch + 1 });
  }

  delay(from: string, to: string, delayMs: number): void {
    this.#change(from, to, { delayMs });
  }

  duplicate(from: string, to: string, twice: boolean): void {
    this.#change(from, to, { twice });
  }

  /** The broker dies; its stream is on its disk. */
  stop(region: string): void {
    const broker = this.broker(region);
    broker.running = false;
    this.#interrupt(broker);
  }

  start(region: string): void {
    this.broker(region).running = true;
    this.#roadsChanged();
  }

  /** Retention deletes what lies before `sequence`; readers go on. */
  purge(region: string, sequence: number): void {
    this.broker(region).stream.purge(sequence);
    this.changed();
  }

  /** The broker restarts without what came after `sequence`. */
  rewind(region: string, sequence: number): void {
    this.broker(region).stream.rewind(sequence);
    this.#interrupt(this.broker(region));
  }

  /** The stream is deleted and made anew. */
  recreate(region: string): void {
    this.broker(region).stream.recreate();
    this.#interrupt(this.broker(region));
  }

  /** The machine was lost with its disk; another one runs in its place, with a stream of another identity. */
  wipe(region: string): void {
    this.broker(region).running = true;
    this.recreate(region);
  }

  forgetIds(region: string): void {
    this.broker(region).stream.forgetIds();
  }

  /** Wakes everybody who waits in `wait`, to look again. */
  changed(): void {
    const sleepers = [...this.#sleepers];
    this.#sleepers.clear();
    for (const sleeper of sleepers) sleeper.abort(WOKEN);
  }

  /** Resolves after `ms`, at the next change of anything, or when the signal fires. */
  async wait(ms: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const wake = new AbortController();
    const abort = (): void => wake.abort();
    this.#sleepers.add(wake);
    signal.addEventListener('abort', abort);
    if (ms === Infinity)
      await new Promise((resolve) => wake.signal.addEventListener('abort', resolve, { once: true }));
    else await this.time.sleep(ms, wake.signal);
    signal.removeEventListener('abort', abort);
    this.#sleepers.delete(wake);
  }

  #link(from: string, to: string): MemoryLink {
    const link = this.findLink(from, to);
    if (link === undefined) throw new Error(`no road leads from ${from} to ${to}`);
    return link;
  }

  #change(from: string, to: string, changes: Partial<MemoryLink>): void {
    Object.assign(this.#link(from, to), changes);
    this.#roadsChanged();
  }

  #interrupt(broker: MemoryBroker): void {
    broker.epoch++;
    this.#roadsChanged();
  }

  #roadsChanged(): void {
    this.changed();
    for (const presence of this.presences) presence.look();
  }
}
