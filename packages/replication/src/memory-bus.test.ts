import { BusDown } from '@causeway/replica';
import { expect, test } from 'vitest';
import { until } from './contract-world.ts';
import { busContract } from './contract.ts';
import { MemoryNetwork } from './memory-network.ts';
import { Reader } from './reader.ts';
import { TIMINGS } from './timings.ts';
import { VirtualTime } from './virtual-time.ts';

const REGIONS = ['us', 'eu'] as const;
const message = (id: string) => ({ id, name: 'acme/canvas/c1', bytes: Uint8Array.of(1) });
const report = (sequence: number) => ({ region: 'eu', incarnation: 'i', sequence, messageId: 'm' });
const network = (delayMs = 0): { time: VirtualTime; net: MemoryNetwork } => {
  const time = new VirtualTime();
  return { time, net: new MemoryNetwork({ time, regions: REGIONS, delayMs }) };
};

busContract('MemoryBus', () => {
  const { net } = network();
  const buses = new Set<ReturnType<typeof net.bus>>();
  return Promise.resolve({
    bus(region) {
      const bus = net.bus(region);
      buses.add(bus);
      return bus;
    },
    cut() {
      net.cut('us', 'eu');
      net.cut('eu', 'us');
    },
    heal() {
      net.heal('us', 'eu');
      net.heal('eu', 'us');
    },
    reset: () => net.reset('us', 'eu'),
    kill: (region) => net.stop(region),
    start: (region) => net.start(region),
    deleteStream: (region) => net.recreate(region),
    purge: (region, sequence) => net.purge(region, sequence),
    async close() {
      for (const bus of buses) await bus.close();
    },
  });
});

test('R3 a message arrives after the delay of its link, not before', async () => {
  const { time, net } = network(40);
  const arrivals: number[] = [];
  const reader = new Reader(net.bus('eu'), 'us', 1, async () => void arrivals.push(time.now()));
  await time.sleep(100);
  const sentAt = time.now();
  await net.bus('us').publish(message('a'));
  await until(() => expect(reader.ids).toEqual(['a']));
  expect(arrivals).toEqual([sentAt + 40]);
  await reader.stop();
});

test('R5 a link can be cut in one direction only', async () => {
  const { net } = network();
  net.bus('us').answerHello(() => ({ incarnation: 'i', lastSequence: 0 }));
  const reader = new Reader(net.bus('eu'), 'us', 1);
  net.cut('eu', 'us');
  await expect(net.bus('eu').hello('us')).rejects.toBeInstanceOf(BusDown);
  await net.bus('us').publish(message('a'));
  await until(() => expect(reader.ids).toEqual(['a']));
  await reader.stop();
});

test('R15 a cut shorter than the silence that ends a follow goes unnoticed', async () => {
  const { time, net } = network();
  const reader = new Reader(net.bus('eu'), 'us', 1);
  net.cut('us', 'eu');
  await net.bus('us').publish(message('a'));
  await time.sleep(TIMINGS.silenceMs - 1);
  expect(reader.ids).toEqual([]);
  net.heal('us', 'eu');
  await until(() => expect(reader.ids).toEqual(['a']));
  expect(reader.ended).toBe(false);
  await reader.stop();
});

test('R4 a lost acknowledgement is in doubt: the message may be there', async () => {
  const { net } = network();
  const us = net.bus('us');
  net.broker('us').acksToLose = 1;
  await expect(us.publish(message('a'))).rejects.toBeInstanceOf(BusDown);
  expect(await us.publish(message('a'))).toEqual({ sequence: 1, repeat: true });
  net.forgetIds('us');
  expect(await us.publish(message('a'))).toEqual({ sequence: 2, repeat: false });
});

test('R15 a power cut takes the newest messages, and the stream keeps its name', async () => {
  const { net } = network();
  const us = net.bus('us');
  const { stream } = await us.open();
  for (const id of ['a', 'b', 'c']) await us.publish(message(id));
  const reader = new Reader(net.bus('eu'), 'us', 1);
  await until(() => expect(reader.ids).toEqual(['a', 'b', 'c']));
  net.rewind('us', 1);
  expect(await reader.failure).toBeInstanceOf(BusDown);
  expect(await us.open()).toEqual({ stream, lastSequence: 1 });
  expect(await us.publish(message('a'))).toEqual({ sequence: 1, repeat: true });
  expect(await us.publish(message('c'))).toEqual({ sequence: 2, repeat: false });
});

test('R15 a lost machine comes back with another stream, and remembers no ids', async () => {
  const { net } = network();
  const us = net.bus('us');
  const before = await us.open();
  await us.publish(message('a'));
  net.stop('us');
  net.wipe('us');
  const after = await us.open();
  expect(after.stream).not.toBe(before.stream);
  expect(after.lastSequence).toBe(0);
  expect(await us.publish(message('a'))).toEqual({ sequence: 1, repeat: false });
});

test('R5 a broker can lose what its processes tell each other, and does so when it dies', async () => {
  const { time, net } = network();
  const [one, two] = [net.bus('us'), net.bus('us')];
  const heard: string[] = [];
  two.hear((messages) => void heard.push(...messages.map(({ name }) => name)));
  net.broker('us').tellsToLose = 2;
  one.tell([{ name: 'acme/canvas/told', bytes: Uint8Array.of(1) }]);
  await one.publish(message('a'));
  one.tell([{ name: 'acme/canvas/in-flight', bytes: Uint8Array.of(1) }]);
  net.stop('us');
  one.tell([{ name: 'acme/canvas/down', bytes: Uint8Array.of(1) }]);
  await time.sleep(100);
  net.start('us');
  one.tell([{ name: 'acme/canvas/up', bytes: Uint8Array.of(1) }]);
  await until(() => expect(heard).toEqual(['acme/canvas/up']));
});

test('R10 what a process hears is bounded, and the rest dropped', async () => {
  const { net } = network();
  const [one, two] = [net.bus('us'), net.bus('us')];
  const batches: number[] = [];
  two.hear((messages) => void batches.push(messages.length));
  const bytes = new Uint8Array(1024 * 1024);
  one.tell(Array.from({ length: 20 }, () => ({ name: 'acme/canvas/c1', bytes })));
  await until(() => expect(batches).toEqual([16]));
});

test('R5 a process that stands still neither hears nor says anything, and then goes on', async () => {
  const { time, net } = network();
  const [one, two] = [net.bus('us'), net.bus('us')];
  const eu = net.bus('eu');
  const heard: string[] = [];
  two.hear((messages) => void heard.push(...messages.map(({ name }) => name)));
  two.hearReports(({ sequence }) => void heard.push(`report ${sequence}`));
  two.answerHello(() => ({ incarnation: 'i', lastSequence: 0 }));
  two.answer(() => Promise.resolve(Uint8Array.of(7)));
  two.pause();
  one.tell([{ name: 'acme/canvas/missed', bytes: Uint8Array.of(1) }]);
  eu.report('us', report(1));
  await expect(eu.hello('us')).rejects.toBeInstanceOf(BusDown);
  const askedAt = time.now();
  await expect(eu.ask('us', 'buckets', Uint8Array.of(1))).rejects.toBeInstanceOf(BusDown);
  expect(time.now() - askedAt).toBe(TIMINGS.askMs);
  const publishing = two.publish(message('a'));
  await time.sleep(1_000);
  expect(net.broker('us').stream.lastSequence).toBe(0);
  two.resume();
  expect(await publishing).toEqual({ sequence: 1, repeat: false });
  expect(await eu.ask('us', 'buckets', Uint8Array.of(1))).toEqual(Uint8Array.of(7));
  one.tell([{ name: 'acme/canvas/heard', bytes: Uint8Array.of(1) }]);
  await until(() => expect(heard).toEqual(['acme/canvas/heard']));
  eu.report('us', report(2));
  await until(() => expect(heard).toEqual(['acme/canvas/heard', 'report 2']));
});

test('R15 an answer can get lost after its question arrived, and the next one comes', async () => {
  const { net } = network(40);
  const us = net.bus('us');
  let asked = 0;
  us.answer(() => Promise.resolve(Uint8Array.of(++asked)));
  net.broker('us').answersToLose = 1;
  await expect(net.bus('eu').ask('us', 'holds', new Uint8Array())).rejects.toBeInstanceOf(BusDown);
  expect(await net.bus('eu').ask('us', 'holds', new Uint8Array())).toEqual(Uint8Array.of(2));
});

test('R5 a link that is cut in one direction loses questions, or answers, and reports', async () => {
  const { net } = network();
  const us = net.bus('us');
  const eu = net.bus('eu');
  let asked = 0;
  const reports: number[] = [];
  us.answer(() => Promise.resolve(Uint8Array.of(++asked)));
  us.hearReports(({ sequence }) => void reports.push(sequence));
  net.cut('eu', 'us');
  eu.report('us', report(1));
  await expect(eu.ask('us', 'holds', new Uint8Array())).rejects.toBeInstanceOf(BusDown);
  expect([asked, reports]).toEqual([0, []]);
  net.heal('eu', 'us');
  net.cut('us', 'eu');
  eu.report('us', report(2));
  await expect(eu.ask('us', 'holds', new Uint8Array())).rejects.toBeInstanceOf(BusDown);
  expect([asked, reports]).toEqual([1, [2]]);
});

test('R15 a reset connection ends a question at once', async () => {
  const { time, net } = network();
  net.bus('us').answer(() => new Promise(() => undefined));
  const askedAt = time.now();
  const asking = net.bus('eu').ask('us', 'state', new Uint8Array());
  await time.sleep(100);
  net.reset('us', 'eu');
  await expect(asking).rejects.toBeInstanceOf(BusDown);
  expect(time.now() - askedAt).toBeLessThan(TIMINGS.askMs);
});

test('R4 a link can deliver every batch twice', async () => {
  const { net } = network();
  net.duplicate('us', 'eu', true);
  const reader = new Reader(net.bus('eu'), 'us', 1);
  await net.bus('us').publish(message('a'));
  await until(() => expect(reader.ids).toEqual(['a', 'a']));
  await reader.stop();
});
