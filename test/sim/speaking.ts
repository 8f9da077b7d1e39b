import { ENVELOPE_VERSION, FIRST_VERSION } from '@causeway/protocol';
import type { Bus, Operation, Store } from '@causeway/replica';
import type { Ports } from './world.ts';

/**
 * Makes a process of this program into one of a later version: what it says to other processes
 * bears `version`, and it reads everything up to that. Everything else is as it is now.
 */
export const speaking =
  (version: number) =>
  ({ store, bus }: Ports): Ports => ({ store: readingParked(version, store), bus: shifted(version, bus) });

function shifted(version: number, bus: Bus): Bus {
  /** What we say, as that version does; what does not begin with a version stays as it is. What a kind was written in before is forgotten: everything of ours is read alike. */
  const out = (bytes: Uint8Array): Uint8Array =>
    withVersion(bytes, bytes[0] !== undefined && bytes[0] <= ENVELOPE_VERSION, version);
  const read = <T extends { bytes: Uint8Array }>(messages: readonly T[]): T[] =>
    messages.map((message) => ({ ...message, bytes: asOurs(version, message.bytes) }));
  return {
    open: () => bus.open(),
    publish: (message) => bus.publish({ ...message, bytes: out(message.bytes) }),
    follow: (peer, from, deliver, signal) => bus.follow(peer, from, (batch) => deliver(read(batch)), signal),
    tell: (messages) => bus.tell(messages.map(({ name, bytes }) => ({ name, bytes: out(bytes) }))),
    hear: (heard) => bus.hear((messages) => heard(read(messages))),
    report: (peer, report) => bus.report(peer, report),
    hearReports: (heard) => bus.hearReports(heard),
    hello: (peer) => bus.hello(peer),
    answerHello: (answer) => bus.answerHello(answer),
    ask: async (peer, operation, question) =>
      hasVersion(operation)
        ? asOurs(version, await bus.ask(peer, operation, out(question)))
        : bus.ask(peer, operation, question),
    answer: (answer) =>
      bus.answer(async (operation, question) =>
        hasVersion(operation)
          ? out(await answer(operation, asOurs(version, question)))
          : answer(operation, question),
      ),
    // Presence has a version of its own.
    hearPresence: (ear) => bus.hearPresence(ear),
    attend: (topic) => bus.attend(topic),
    announce: (topic, bytes) => bus.announce(topic, bytes),
    askPresence: (region, question) => bus.askPresence(region, question),
    close: () => bus.close(),
  };
}

function readingParked(version: number, store: Store): Store {
  return new Proxy(store, {
    get: (target, property) => {
      if (property !== 'parked') return Reflect.get(target, property) as unknown;
      return async (upTo: number, limit: number) => {
        const kept = await target.parked(Math.max(upTo, version), limit);
        return kept.map((message) => ({ ...message, bytes: asOurs(version, message.bytes) }));
      };
    },
  });
}

const hasVersion = (operation: Operation): boolean => operation !== 'holds';

const asOurs = (version: number, bytes: Uint8Array): Uint8Array =>
  withVersion(bytes, bytes[0]! > ENVELOPE_VERSION && bytes[0]! <= version, FIRST_VERSION);

const withVersion = (bytes: Uint8Array, applies: boolean, version: number): Uint8Array =>
  applies ? Uint8Array.of(version, ...bytes.subarray(1)) : bytes;
