import type { PresenceEar } from '@causeway/replica';
import type { MemoryBroker, MemoryLink, MemoryNetwork } from './memory-network.ts';
import { PRESENCE } from './presence.ts';
import { TIMINGS } from './timings.ts';

/** A process' connection to one broker, for presence. */
export type PresenceRoad = {
  readonly owner: MemoryPresence;
  readonly region: string;
  readonly broker: MemoryBroker;
  /** To the broker and from it; none within a region. */
  readonly links: readonly [to: MemoryLink, from: MemoryLink] | undefined;
  /** The connection, while there is one; another one is another object. */
  up: { broker: number; link: number } | undefined;
  isDialing: boolean;
  /** Settles when the last message on its way has arrived or is lost. */
  arrived: Promise<void>;
};

/** The presence half of a MemoryBus: core messages over connections that break and are made anew. */
export class MemoryPresence {
  readonly #network: MemoryNetwork;
  readonly #own: MemoryBroker;
  readonly #closed: AbortSignal;
  readonly #topics = new Set<string>();
  readonly #roads: PresenceRoad[] = [];
  #ear: PresenceEar | undefined;
  #paused = false;

  constructor(network: MemoryNetwork, own: MemoryBroker, closed: AbortSignal) {
    this.#network = network;
    this.#own = own;
    this.#closed = closed;
  }

  hear(ear: PresenceEar): void {
    this.#ear = ear;
    this.#network.presences.add(this);
    for (const region of this.#network.regions) {
      const road = this.#road(region);
      if (road === undefined) continue;
      this.#roads.push(road);
      road.broker.presence.add(road);
    }
    this.look();
  }

  attend(topic: string): () => void {
    this.#topics.add(topic);
    return () => void this.#topics.delete(topic);
  }

  announce(topic: string, bytes: Uint8Array): void {
    if (bytes.length > PRESENCE.messageBytes || !this.#speaks) return;
    if (this.#own.announcesToLose > 0) return void this.#own.announcesToLose--;
    const copy = bytes.slice();
    for (const road of this.#own.presence)
      if (road.owner !== this)
        road.owner.#arrive(road, () => {
          if (road.owner.#topics.has(topic))
            road.owner.#ear!.announced(this.#own.region, topic, copy.slice());
        });
  }

  ask(region: string, question: Uint8Array): void {
    const road = this.#roads.find((other) => other.region === region);
    if (question.length > PRESENCE.messageBytes || this.#paused || road?.up === undefined) return;
    const copy = question.slice();
    this.#carry(road, road.links?.[0], () => {
      for (const theirs of road.broker.presence)
        if (theirs.owner !== this && theirs.owner.#own === road.broker && theirs.up !== undefined)
          theirs.owner.#arrive(theirs, () => theirs.owner.#ear!.asked(copy.slice()));
    });
  }

  /** Brokers or links have changed: connections break, or can be made. */
  look(): void {
    for (const road of this.#roads) {
      if (road.up !== undefined && !isSame(road)) road.up = undefined;
      if (road.up === undefined) void this.#dial(road);
      else if (!isOpen(road)) void this.#endSilence(road);
    }
  }

  pause(): void {
    this.#paused = true;
    for (const road of this.#roads) road.up = undefined;
  }

  resume(): void {
    this.#paused = false;
    this.look();
  }

  close(): void {
    this.#network.presences.delete(this);
    for (const road of this.#roads) {
      road.up = undefined;
      road.broker.presence.delete(road);
    }
  }

  /** Without a connection to the own broker nobody hears us. */
  get #speaks(): boolean {
    return !this.#paused && this.#roads.some(({ broker, up }) => broker === this.#own && up !== undefined);
  }

  #road(region: string): PresenceRoad | undefined {
    const to = this.#network.findLink(this.#own.region, region);
    const from = this.#network.findLink(region, this.#own.region);
    const isOwn = region === this.#own.region;
    if (!isOwn && (to === undefined || from === undefined)) return undefined;
    return {
      owner: this,
      region,
      broker: this.#network.broker(region),
      links: isOwn ? undefined : [to!, from!],
      up: undefined,
      isDialing: false,
      arrived: Promise.resolve(),
    };
  }

  async #dial(road: PresenceRoad): Promise<void> {
    if (road.isDialing || this.#paused || !isOpen(road)) return;
    road.isDialing = true;
    const { broker, links } = road;
    await this.#network.time.sleep(links === undefined ? broker.hearMs : links[0].delayMs + links[1].delayMs);
    road.isDialing = false;
    if (this.#closed.aborted || this.#paused || !isOpen(road)) return;
    road.up = epochsOf(road);
    this.#ear!.opened(road.region);
  }

  /** A link that stays cut for long breaks the connection. */
  async #endSilence(road: PresenceRoad): Promise<void> {
    const { up } = road;
    await this.#network.time.sleep(TIMINGS.silenceMs, this.#closed);
    const since = Math.max(...road.links!.map((link) => (link.open ? 0 : link.since)));
    if (road.up !== up || isOpen(road) || this.#network.time.now() - since < TIMINGS.silenceMs) return;
    road.up = undefined;
    this.look();
  }

  /** What the broker hands on to us over this road. */
  #arrive(road: PresenceRoad, take: () => void): void {
    this.#carry(road, road.links?.[1], take);
    if (road.links?.[1].twice === true) this.#carry(road, road.links[1], take);
  }

  /** One after another, as over a connection; lost when it breaks meanwhile. */
  #carry(road: PresenceRoad, link: MemoryLink | undefined, take: () => void): void {
    const { up } = road;
    if (up === undefined) return;
    const sentAt = this.#network.time.now();
    const before = road.arrived;
    const travel = async (): Promise<void> => {
      await before;
      for (;;) {
        if (road.up !== up || this.#closed.aborted) return;
        const at =
          link === undefined ? sentAt + road.broker.hearMs : Math.max(sentAt, link.since) + link.delayMs;
        const leftMs = at - this.#network.time.now();
        if (link?.open !== false && leftMs <= 0) return take();
        await this.#network.wait(link?.open === false ? Infinity : leftMs, this.#closed);
      }
    };
    road.arrived = travel();
  }
}

const epochsOf = ({ broker, links }: PresenceRoad): { broker: number; link: number } => ({
  broker: broker.epoch,
  link: links?.[0].epoch ?? 0,
});
const isSame = (road: PresenceRoad): boolean => {
  const now = epochsOf(road);
  return road.broker.running && now.broker === road.up!.broker && now.link === road.up!.link;
};
const isOpen = ({ broker, links }: PresenceRoad): boolean =>
  broker.running && links?.some((link) => !link.open) !== true;
