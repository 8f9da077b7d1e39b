import { isDocument, parseName, type Token } from '@causeway/protocol';
import type { AppendQueue } from './append-queue.ts';
import type { Cells } from './cells.ts';
import { FirstRegionDecides } from './decisions.ts';
import { Divergence } from './divergence.ts';
import type { Documents } from './documents.ts';
import type { Generations } from './generations.ts';
import type { Notice } from './notice.ts';
import type { Bus, Committed, Random, Row, Store, Time } from './ports.ts';
import type { Publisher } from './publisher.ts';
import { Receiver } from './receiver.ts';
import { Repair, type Pass } from './repair.ts';
import { RepairDesk } from './repair-desk.ts';
import type { Strong } from './strong/strong.ts';
import { Succession } from './succession.ts';
import { unpark } from './unpark.ts';
import { ZoneLevel } from './zone-level.ts';

/** Messages of a stream that are not there yet, and about how many bytes. Heartbeats are among them. */
export type Backlog = { updates: number; bytes: number };

/** The pipes between this region and a peer, as one process sees them. */
export type Pipe = {
  peer: string;
  /** Does this process read the peer's stream now? One process of a region does. */
  connected: boolean;
  /** Age of the last heartbeat when it arrived, milliseconds; undefined before the first. */
  lagMs: number | undefined;
  /** When it arrived, milliseconds since 1970. */
  heardAt: number | undefined;
  /** What waits to come here from the peer. */
  waiting: Backlog | undefined;
  /** What the peer has not confirmed to have stored of our stream. */
  unconfirmed: Backlog | undefined;
};

const NOTE_EVERY_MS = 2_500;

export type PeersParts = {
  region: string;
  /** The regions of the zone, this one included. */
  regions: readonly string[];
  bus: Bus;
  store: Store;
  time: Time;
  random: Random;
  documents: Documents;
  cells: Cells;
  generations: Generations;
  queue: AppendQueue;
  strong: Strong;
  /** A restore that another region forwards. */
  restore(question: Uint8Array): Promise<Uint8Array>;
  /** Does this region have the writes of a token, committed? */
  holds(token: Token): Promise<boolean>;
};

export type PeersEvents = {
  /** Rows of a peer are committed here, however they came. */
  applied(rows: readonly Row[], result: Committed): void;
  /** What this region writes because of a peer's rows (see Channels.raisedBy). */
  own(rows: readonly Row[]): Promise<Row[]>;
  notice(notice: Notice): void;
};

/**
 * The other regions of the zone: reads their streams, compares with them what both hold, answers
 * what they ask, and knows what of ours they have stored.
 */
export class Peers {
  /** What of ours they have stored. */
  readonly zone: ZoneLevel;
  readonly #parts: PeersParts;
  readonly #events: PeersEvents;
  readonly #receivers: ReadonlyMap<string, Receiver>;
  readonly #repair: Repair;
  readonly #divergence: Divergence;
  readonly #succession: Succession;
  /** Documents with messages of a newer version: what else comes for them waits too. */
  readonly #parked = new Set<string>();

  constructor(parts: PeersParts, events: PeersEvents) {
    const { region, regions, bus, store, time, random, documents, cells, generations, queue } = parts;
    const { notice } = events;
    const peers = regions.filter((peer) => peer !== region);
    this.#parts = parts;
    this.#events = events;
    this.#receivers = new Map(peers.map((peer) => [peer, this.#receiver(peer)]));
    this.#repair = new Repair(
      { bus, store, time, random, parked: this.#parked },
      {
        ...events,
        diverged: (name, peer) => this.#divergence.noticed(name, peer),
        began: (peer) => this.#receivers.get(peer)?.comparing(),
        passed: (pass) => this.#passed(pass),
        failed: (peer, error) => notice({ what: 'repair-failed', peer, why: String(error) }),
      },
    );
    const decisions = new FirstRegionDecides({ region, regions, bus, store });
    this.#divergence = new Divergence(
      { bus, store, documents, cells, generations, queue, decisions },
      {
        found: (name, peer) => notice({ what: 'diverged', kind: parseName(name)?.kind, peer }),
        opened: ({ generation, equivocators }) =>
          notice({ what: 'generation-opened', generation, equivocators: equivocators.length }),
        failed: (error) => notice({ what: 'undecided', why: String(error) }),
      },
    );
    this.#succession = new Succession(
      { store, documents, queue, decisions, time },
      {
        began: (workspace, canvas, generation) => {
          this.#divergence.settled(workspace, canvas, generation);
          // Its beginning may be larger than any message.
          for (const peer of peers) this.#repair.request(peer);
        },
        open: (decision) => this.#divergence.open(decision),
        failed: (error) => notice({ what: 'succession-failed', why: String(error) }),
      },
    );
    const { holds, strong } = parts;
    const desk = new RepairDesk({
      bus,
      store,
      time,
      holds,
      decide: (asked) => decisions.answer(asked),
      restore: (asked) => parts.restore(asked),
      strong: (talk, asked) => strong.answer(talk, asked),
    });
    this.zone = new ZoneLevel({ time, peers, holds: (peer, token) => desk.askHolds(peer, token) });
    bus.hearReports((report) => this.zone.report(report));
  }

  /** Receives from all peers and compares with them until the signal fires; rejects with the store's error before it begins. */
  async run(signal: AbortSignal): Promise<void> {
    const { store, strong } = this.#parts;
    const unparked = await unpark(store, {
      ...this.#events,
      changed: (version) => strong.learn(version),
    });
    if (unparked > 0) this.#events.notice({ what: 'unparked', messages: unparked });
    // Another process may have been upgraded and have taken out what this one had parked.
    this.#parked.clear();
    const parked = await store.parkedNames();
    for (const name of parked) if (isDocument(name)) this.#parked.add(name);
    for (const receiver of this.#receivers.values()) receiver.keeps(parked.length > 0);
    await Promise.all([
      this.#noting(signal),
      ...[...this.#receivers.values()].map((receiver) => receiver.run(signal)),
      this.#repair.run([...this.#receivers.keys()], signal),
      this.#succession.run(signal),
      strong.keepUp(signal),
    ]);
  }

  /** Something of these names is committed, by whomever. */
  changed(names: ReadonlySet<string>): void {
    this.#succession.changed(names);
  }

  /** Documents that this process knows to differ from a peer's for ever, as they are; one process of a region looks. */
  get diverged(): number {
    return this.#divergence.count;
  }

  /** Documents that wait for an upgrade of this region, as far as this process knows; the one that receives does. */
  get parked(): number {
    return this.#parked.size;
  }

  /** How the pipes from and to each peer are, as far as this process knows. */
  pipes({ stream, meanBytes: ourBytes }: Pick<Publisher, 'stream' | 'meanBytes'>): Pipe[] {
    return [...this.#receivers.values()].map(({ state }) => {
      const { peer, connected, lagMs, heardAt, sequence, lastSequence, meanBytes } = state;
      const reported = this.zone.reported(peer);
      const isReported = reported !== undefined && reported.incarnation === stream?.incarnation;
      return {
        peer,
        connected,
        lagMs,
        heardAt,
        waiting: backlog(lastSequence, sequence, meanBytes),
        unconfirmed: isReported ? backlog(stream!.lastSequence, reported.sequence, ourBytes) : undefined,
      };
    });
  }

  /** Keeps for all processes how far each peer is applied here, see Marks. */
  async #noting(signal: AbortSignal): Promise<void> {
    const { store, time } = this.#parts;
    const noted = new Map<string, number>();
    while (!signal.aborted) {
      await time.sleep(NOTE_EVERY_MS, signal);
      for (const { state } of this.#receivers.values()) {
        const { peer, wholeTo } = state;
        if (signal.aborted || wholeTo === undefined || noted.get(peer) === wholeTo) continue;
        // A database that does not answer is noticed by those who need it.
        const isNoted = await store.noteHeard(peer, wholeTo).then(
          () => true,
          () => false,
        );
        if (isNoted) noted.set(peer, wholeTo);
      }
    }
  }

  #receiver(peer: string): Receiver {
    const { region, bus, store, time, strong } = this.#parts;
    return new Receiver(
      peer,
      { region, bus, store, time, parked: this.#parked },
      {
        applied: this.#events.applied,
        own: this.#events.own,
        changed: (version) => strong.learn(version),
        behind: (peer) => this.#repair.request(peer),
        notice: (what, detail) => this.#events.notice({ what, ...detail }),
      },
    );
  }

  #passed({ repaired, ...pass }: Pass): void {
    if (pass.waiting === 0) this.#receivers.get(pass.peer)?.compared();
    this.#divergence.passed(pass.peer);
    if (repaired > 0) this.#events.notice({ what: 'repaired', repaired, ...pass });
  }
}

/** About what lies between two sequences of a stream; undefined while nobody knows the end. */
const backlog = (last: number | undefined, reached: number, meanBytes: number): Backlog | undefined => {
  if (last === undefined) return undefined;
  const updates = Math.max(0, last - reached);
  return { updates, bytes: Math.round(updates * meanBytes) };
};
