import { AckPolicy, DeliverPolicy } from '@nats-io/jetstream';
import { peerUser } from '@causeway/local';
import { BusDown, type Bus } from '@causeway/replica';
import type { NatsConnection } from '@nats-io/transport-node';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { busContract, until } from './contract.ts';
import { openNatsBus } from './nats-bus.ts';
import { openNatsWorld, STREAM, ZONE, type NatsWorld } from './nats-test-world.ts';
import { Reader } from './reader.ts';

busContract('NatsBus', () => openNatsWorld());

const message = (id: string, size = 200) => ({
  id,
  name: 'acme/segment/general/1',
  bytes: new Uint8Array(size),
});
const numbered = (count: number): string[] => Array.from({ length: count }, (_, n) => `m${n}`);

let world: NatsWorld;
let us: Bus;
let eu: Bus;
const readers: Reader[] = [];
const read = (...args: ConstructorParameters<typeof Reader>): Reader => {
  const reader = new Reader(...args);
  readers.push(reader);
  return reader;
};
const consumerExists = async (): Promise<unknown> => {
  const manager = await world.manager('us');
  return until(() => expect(manager.consumers.info(STREAM, 'peer_eu')).resolves.toBeDefined());
};

/** What a receiver does: follows, and follows again where it was. */
async function follow(bus: Bus, arrived: string[], signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const take = async (batch: { id: string }[]) => void arrived.push(...batch.map(({ id }) => id));
    await bus.follow('us', arrived.length + 1, take, signal).catch(() => undefined);
  }
}

beforeEach(async () => {
  world = await openNatsWorld();
  us = world.bus('us');
  eu = world.bus('eu');
  await us.open();
});
afterEach(async () => {
  for (const reader of readers.splice(0)) await reader.stop();
  await world.close();
});

describe('publishing', () => {
  test('R3 keeps the order with 5,000 in flight, from the first message on a cold connection on', async () => {
    const ids = numbered(5_000);
    const cold = world.bus('us');
    const acks = await Promise.all(ids.map((id) => cold.publish(message(id))));
    expect(acks.map(({ sequence }) => sequence)).toEqual(ids.map((_, n) => n + 1));
    const reader = read(eu, 'us', 1);
    await until(() => expect(reader.messages).toHaveLength(5_000));
    expect(reader.ids).toEqual(ids);
  });

  test('R3 what was acknowledged before a kill -9 is delivered after it', async () => {
    const reader = read(eu, 'us', 1);
    const acknowledged: string[] = [];
    const publishing = numbered(5_000).map((id) =>
      us.publish(message(id)).then(
        () => acknowledged.push(id),
        (error: unknown) => expect(error).toBeInstanceOf(BusDown),
      ),
    );
    await until(() => expect(acknowledged.length).toBeGreaterThan(500));
    await world.kill('us');
    await Promise.all(publishing);
    expect(await reader.failure).toBeInstanceOf(BusDown);
    await world.start('us');
    const resumed = read(eu, 'us', reader.messages.length + 1);
    await us.publish(message('after'));
    await until(() => expect(resumed.ids).toContain('after'));
    const arrived = [...reader.ids, ...resumed.ids];
    expect(new Set(arrived).size).toBe(arrived.length);
    expect(arrived).toEqual(expect.arrayContaining(acknowledged));
  });

  test('R10 a message that can never fit is refused for what it is', async () => {
    await expect(us.publish(message('large', 1024 * 1024))).rejects.toBeInstanceOf(RangeError);
    expect(await us.publish(message('next'))).toEqual({ sequence: 1 });
  });
});

describe('reading', () => {
  test('R15 beyond the end it waits, and does not pretend', async () => {
    for (const id of numbered(5)) await us.publish(message(id));
    const reader = read(eu, 'us', 8);
    await consumerExists();
    for (const id of ['six', 'seven', 'eight']) await us.publish(message(id));
    await until(() => expect(reader.ids).toEqual(['eight']));
  });

  test('R15 somebody who deletes the consumer ends the follow', async () => {
    const reader = read(eu, 'us', 1);
    await consumerExists();
    await (await world.manager('us')).consumers.delete(STREAM, 'peer_eu');
    expect(await reader.failure).toBeInstanceOf(BusDown);
  });

  test('R15 resumes within a second or so of the heal of a long black hole', async () => {
    await us.publish(message('before'));
    const stop = new AbortController();
    const arrived: string[] = [];
    const receiving = follow(eu, arrived, stop.signal);
    await until(() => expect(arrived).toEqual(['before']));
    world.cut();
    await world.links.assertCut('us', 'eu');
    await us.publish(message('meanwhile'));
    await expect(eu.hello('us')).rejects.toBeInstanceOf(BusDown);
    await expect(eu.hello('us')).rejects.toBeInstanceOf(BusDown);
    await expect(eu.hello('us')).rejects.toBeInstanceOf(BusDown);
    const healedAt = performance.now();
    world.heal();
    await until(() => expect(arrived).toEqual(['before', 'meanwhile']));
    expect(performance.now() - healedAt).toBeLessThan(3_000);
    stop.abort();
    await receiving;
  });
});

describe('R6 R12 what a peer may do with its credentials', () => {
  let peer: NatsConnection;
  beforeEach(async () => {
    await us.publish(message('a'));
    peer = await world.as('us', peerUser(ZONE, 'eu'), 'peer', '_INBOX_eu');
  });

  test.each([
    ['publish into the stream', 'u.us.acme.segment.general.1'],
    ['publish in the name of another region', 'u.eu.acme.segment.general.1'],
    ['ask for another region', 'ae.eu.hello'],
    ['see the account', '$JS.API.INFO'],
    ['list streams', '$JS.API.STREAM.LIST'],
    ['name streams', '$JS.API.STREAM.NAMES'],
    ['inspect the stream', `$JS.API.STREAM.INFO.${STREAM}`],
    ['make a stream', '$JS.API.STREAM.CREATE.mine'],
    ['delete the stream', `$JS.API.STREAM.DELETE.${STREAM}`],
    ['purge the stream', `$JS.API.STREAM.PURGE.${STREAM}`],
    ['delete a message', `$JS.API.STREAM.MSG.DELETE.${STREAM}`],
    ['get a message', `$JS.API.STREAM.MSG.GET.${STREAM}`],
    ['back the stream up', `$JS.API.STREAM.SNAPSHOT.${STREAM}`],
    ['list consumers', `$JS.API.CONSUMER.LIST.${STREAM}`],
    ['make a consumer of another name', `$JS.API.CONSUMER.CREATE.${STREAM}.other.u.us.>`],
    ['make a consumer without a filter', `$JS.API.CONSUMER.CREATE.${STREAM}.peer_eu`],
    ['make a consumer without a name', `$JS.API.CONSUMER.CREATE.${STREAM}`],
    ['make a durable consumer', `$JS.API.CONSUMER.DURABLE.CREATE.${STREAM}.peer_eu`],
    ['delete the consumer of another peer', `$JS.API.CONSUMER.DELETE.${STREAM}.peer_ap`],
    ['read the consumer of another peer', `$JS.API.CONSUMER.MSG.NEXT.${STREAM}.peer_ap`],
  ])('not: %s', async (_what, subject) => {
    await expect(peer.request(subject, '{}')).rejects.toThrow(/permissions violation/i);
  });

  test.each(['>', 'u.us.>', 'ae.us.hello', '_INBOX.>', '_INBOX_us.>', '$JS.EVENT.>'])(
    'not: hear %s',
    async (subject) => {
      const denied = await peer.subscribe(subject, { callback: () => undefined }).closed;
      expect(String(denied)).toMatch(/permissions violation/i);
    },
  );

  test('not: a consumer whose filter is another than the subject says', async () => {
    const create = `$JS.API.CONSUMER.CREATE.${STREAM}.peer_eu.u.us.>`;
    const config = { name: 'peer_eu', ack_policy: AckPolicy.None, deliver_policy: DeliverPolicy.All };
    for (const filter of [{}, { filter_subject: '>' }, { filter_subject: 'u.us.acme.>' }]) {
      const request = { stream_name: STREAM, config: { ...config, ...filter }, action: 'create' };
      const reply = await peer.request(create, JSON.stringify(request));
      expect(reply.json()).toMatchObject({ error: { code: 400 } });
    }
  });

  test('not: an account that the server does not have', async () => {
    await expect(world.as('us', 'app_eu', 'app-of-zone-eu')).rejects.toThrow(/authorization/i);
    expect(await world.as('eu', 'app_eu', 'app-of-zone-eu')).toBeDefined();
  });
});

test('R6 wrong credentials are told at once', async () => {
  const stranger = { url: world.servers.us.url, user: 'nobody', password: 'nothing' };
  const bus = openNatsBus({ region: 'us', zone: ZONE, nats: stranger, peers: [] });
  await expect(bus.open()).rejects.toThrow(/authorization/i);
  await bus.close();
});
