import { decodeEntry } from '@causeway/protocol';
import {
  BusDown,
  Replica,
  type Bus,
  type Delivery,
  type Notice,
  type Operation,
  type PresenceEar,
  type StoredUpTo,
  type Time,
} from '@causeway/replica';
import type { MemoryNetwork } from '@causeway/replication';
import type { SeededRandom } from '../seeded-random.ts';
import type { SimulatedTime } from '../simulated-time.ts';
import type { Database } from './database.ts';
import { Lifeline } from './lifeline.ts';
import type { Trace } from './trace.ts';
import { stretchesOf } from './witness.ts';

type Told = readonly { name: string; bytes: Uint8Array }[];

export type Weather = {
  /** Of messages that nobody promises to deliver. */
  lossPercent: number;
  /** Peers do not answer about states. No stream loses anything then, so streams alone must bring everything. */
  withoutRepair: boolean;
};

export type ProcessParts = {
  number: number;
  database: Database;
  regions: readonly string[];
  network: MemoryNetwork;
  time: SimulatedTime;
  random: SeededRandom;
  trace: Trace;
  weather: Weather;
};

/** One server process of a region, with the production replica inside. */
export class Process {
  readonly number: number;
  readonly region: string;
  readonly life = new Lifeline();
  readonly replica: Replica;
  readonly notices = new Map<string, number>();
  /** Messages that it did not show any more, since they were deleted. */
  readonly sawDeleted = new Set<string>();
  /** Its wall clock is ahead of the true one, milliseconds. */
  skewMs = 0;
  readonly #parts: ProcessParts;
  readonly #bus: Bus;
  /** Of the broker, when this process connected to it. */
  #epoch = 0;

  constructor(parts: ProcessParts) {
    const { number, database, regions, network, time, random, trace } = parts;
    this.#parts = parts;
    this.number = number;
    this.region = database.region;
    this.#bus = network.bus(this.region);
    this.replica = new Replica({
      region: this.region,
      regions,
      store: database.connect(this.life),
      bus: this.#connection(),
      time: this.#clock(time),
      random,
      notice: (notice: Notice) => {
        this.notices.set(notice.what, (this.notices.get(notice.what) ?? 0) + 1);
        trace.count(`notice/${notice.what}`);
        trace.event(`${this.region}#${number} ${notice.what} ${String(notice['why'] ?? '')}`);
      },
    });
    this.life.death.addEventListener('abort', () => {
      void this.#bus.close();
      // Its sessions with the database break, and with them its roles.
      database.loseRoles(this.life);
    });
    void this.replica.run(this.life.death);
  }

  stop(): void {
    this.life.stop();
    void this.#parts.database.endIdleSessions(this.life);
  }

  /** Nothing is published before it is committed (R8). */
  #mustBeDurable({ name, bytes }: { name: string; bytes: Uint8Array }): void {
    const { database, trace } = this.#parts;
    const decoded = decodeEntry(bytes);
    if (!decoded.ok) return;
    const { entry } = decoded;
    if (entry.kind !== 'update' && entry.kind !== 'cells') return;
    const isDurable =
      entry.kind === 'cells'
        ? entry.cells.every(({ key, v }) => database.witness.holds({ scope: entry.scope, key, v }))
        : stretchesOf(entry.bytes).every(({ client, to }) => database.witness.stores(name, client, to));
    if (!isDurable) trace.breach(`R8 ${this.region}#${this.number} publishes ${name} before it is committed`);
  }

  #clock(time: SimulatedTime): Time {
    return {
      now: () => time.now() + this.skewMs,
      sleep: (ms, signal) => this.life.through(time.sleep(ms, signal)),
    };
  }

  /** The bus as this process has it: nothing arrives while it is stopped, and unpromised messages get lost. */
  #connection(): Bus {
    const { life } = this;
    const bus = this.#bus;
    const { database, network, random, trace, weather } = this.#parts;
    const broker = network.broker(this.region);
    const isLost = (what: string): boolean => {
      if (!random.chance(weather.lossPercent)) return false;
      trace.count(`fault/lost-${what}`);
      return true;
    };
    return {
      open: () => {
        this.#epoch = broker.epoch;
        return life.through(bus.open());
      },
      publish: (message) => {
        this.#mustBeDurable(message);
        if (broker.epoch === this.#epoch) return life.through(bus.publish(message));
        // As nats-link does: a connection that broke is not used again.
        return life.through(Promise.reject(new BusDown('simulated: the connection broke')));
      },
      follow: (peer, from, deliver, signal) => {
        const hand = (batch: Delivery[]): Promise<void> =>
          life.call(() => {
            for (const { id } of batch) database.read.add(id);
            return deliver(batch);
          });
        return life.through(bus.follow(peer, from, hand, signal));
      },
      tell: (messages) => void (isLost('tell') || bus.tell(messages)),
      hear: (heard: (messages: Told) => void) =>
        bus.hear((messages) => {
          if (!isLost('hearing')) life.deliver(() => heard(messages));
        }),
      report: (peer, report) => void (isLost('report') || bus.report(peer, report)),
      hearReports: (heard: (report: StoredUpTo) => void) =>
        bus.hearReports((report) => life.deliver(() => heard(report))),
      hello: (peer) => life.through(bus.hello(peer)),
      answerHello: (answer) => bus.answerHello(() => (life.isStopped || life.isDead ? undefined : answer())),
      ask: (peer, operation, question) =>
        weather.withoutRepair && operation !== 'holds'
          ? life.through(Promise.reject(new BusDown('simulated: no repair in this world')))
          : life.through(bus.ask(peer, operation, question)),
      answer: (answer: (operation: Operation, question: Uint8Array) => Promise<Uint8Array>) =>
        bus.answer((operation, question) => life.through(life.call(() => answer(operation, question)))),
      hearPresence: (ear: PresenceEar) =>
        bus.hearPresence({
          announced: (region, topic, bytes) => {
            if (!isLost('announcement')) life.deliver(() => ear.announced(region, topic, bytes));
          },
          asked: (question) => {
            if (!isLost('presence-question')) life.deliver(() => ear.asked(question));
          },
          opened: (region) => life.deliver(() => ear.opened(region)),
        }),
      attend: (topic) => bus.attend(topic),
      announce: (topic, bytes) => bus.announce(topic, bytes),
      askPresence: (region, question) => bus.askPresence(region, question),
      close: () => bus.close(),
    };
  }
}
