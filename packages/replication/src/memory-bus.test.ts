import { BusDown } from '@causeway/replica';
import { expect, test } from 'vitest';
import { busContract, until } from './contract.ts';
import { MemoryNetwork } from './memory-network.ts';
import { Reader } from './reader.ts';
import { TIMINGS } from './timings.ts';
import { VirtualTime } from './virtual-time.ts';

const REGIONS = ['us', 'eu'] as const;
const message = (id: string) => ({ id, name: 'acme/canvas/c1', bytes: Uint8Array.of(1) });
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
  expect(await us.publish(message('a'))).toEqual({ sequence: 1 });
  net.forgetIds('us');
  expect(await us.publish(message('a'))).toEqual({ sequence: 2 });
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
  expect(await us.publish(message('c'))).toEqual({ sequence: 2 });
});

test('R4 a link can deliver every batch twice', async () => {
  const { net } = network();
  net.duplicate('us', 'eu', true);
  const reader = new Reader(net.bus('eu'), 'us', 1);
  await net.bus('us').publish(message('a'));
  await until(() => expect(reader.ids).toEqual(['a', 'a']));
  await reader.stop();
});
