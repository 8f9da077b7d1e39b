import { AckPolicy, DeliverPolicy } from '@nats-io/jetstream';
import { appUser, peerUser } from '@causeway/local';
import { BusDown, type Bus, type Operation, type StoredUpTo } from '@causeway/replica';
import { headers, type Msg, type NatsConnection } from '@nats-io/transport-node';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { until } from './contract-world.ts';
import { busContract } from './contract.ts';
import { openNatsBus } from './nats-bus.ts';
import { openNatsWorld, STREAM, ZONE, type NatsWorld } from './nats-test-world.ts';
import { Reader } from './reader.ts';
import { TIMINGS } from './timings.ts';

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

/** A process of `us` whose answers the test makes up. */
const impostor = async (
  take: (asked: Msg, part: (place: string, bytes: Uint8Array) => void) => void,
): Promise<NatsConnection> => {
  const home = await world.as('us', appUser(ZONE), 'app-us');
  home.subscribe('ae.us.ask', {
    queue: 'answerers',
    callback: (_error, asked) =>
      take(asked, (place, bytes) => {
        const marks = headers();
        marks.set('Part', place);
        asked.respond(bytes, { headers: marks });
      }),
  });
  await home.flush();
  return home;
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

  test('R3 what was acknowledged before a kill -9 is delivered after it (PAINS 19)', async () => {
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
    expect(await us.publish(message('next'))).toEqual({ sequence: 1, repeat: false });
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
    ['report to another region', 'ae.eu.stored'],
    ['send the parts of another peer', 'ae.us.part.ap.x'],
    ['ask for what nobody answers', 'ae.us.decide'],
    ['tell our processes', 'f.us.acme.segment.general.1'],
    ['announce somebody present here', 'p.us.acme.presence'],
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

  test.each([
    ['>'],
    ['*.us.>'],
    ['u.>'],
    ['u.us.>'],
    ['u.us.acme.segment.general.1'],
    ['f.>'],
    ['f.us.>'],
    ['f.us.acme.segment.general.1'],
    ['ae.>'],
    ['ae.us.hello'],
    ['ae.us.stored'],
    ['ae.us.ask'],
    ['ae.us.part.eu.*'],
    ['p.>'],
    ['p.eu.>'],
    ['_INBOX.>'],
    ['_INBOX_us.>'],
    ['$JS.EVENT.>'],
  ])('not: hear %s', async (subject) => {
    const denied = await peer.subscribe(subject, { callback: () => undefined }).closed;
    expect(String(denied)).toMatch(/permissions violation/i);
  });

  test('not: answer in our place', async () => {
    const denied = await peer.subscribe('ae.us.ask', { queue: 'answerers', callback: () => undefined })
      .closed;
    expect(String(denied)).toMatch(/permissions violation/i);
  });

  test('nothing of what our processes tell each other reaches it, though they hear it', async () => {
    const heard: string[] = [];
    const hearing = world.bus('us');
    hearing.hear((messages) => void heard.push(...messages.map(({ name }) => name)));
    const reached: string[] = [];
    peer.subscribe('p.us.>', { callback: (_error, { subject }) => void reached.push(subject) });
    peer.subscribe('_INBOX_eu.>', { callback: (_error, { subject }) => void reached.push(subject) });
    await peer.flush();
    const home = await world.as('us', appUser(ZONE), 'app-us');
    await until(() => {
      us.tell([message('a')]);
      expect(heard).toContain('acme/segment/general/1');
    });
    await us.publish(message('b'));
    home.publish('p.us.acme.presence', 'ada');
    await until(() => expect(reached).toContain('p.us.acme.presence'));
    expect(reached).toEqual(['p.us.acme.presence']);
  });

  test('not: lend our rights by naming a place for the answer', async () => {
    us.answerHello(() => ({ incarnation: 'i1', lastSequence: 1 }));
    us.answer(() => Promise.resolve(new Uint8Array(3)));
    await until(() => expect(eu.hello('us')).resolves.toBeDefined());
    await until(() => expect(eu.ask('us', 'buckets', new Uint8Array())).resolves.toBeDefined());
    const { lastSequence } = await us.open();
    const asked = headers();
    asked.set('Operation', 'buckets');
    asked.set('Part', '0/1');
    for (const reply of [
      `$JS.API.STREAM.DELETE.${STREAM}`,
      'u.us.acme.canvas.c1',
      '_INBOX.other',
      '_INBOX_us.x',
    ]) {
      peer.publish('ae.us.hello', '', { reply });
      peer.publish('ae.us.ask', '', { reply, headers: asked });
    }
    await peer.flush();
    // One process answers in the order of arrival: whatever it would have done with those is done.
    await eu.hello('us');
    await eu.ask('us', 'buckets', new Uint8Array());
    expect(await us.open()).toMatchObject({ lastSequence });
  });

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

describe('asking', () => {
  const question = new Uint8Array();

  test('R15 a paused process swallows a question, and nothing else breaks', async () => {
    const paused = await impostor(() => undefined);
    const reader = read(eu, 'us', 1);
    await us.publish(message('a'));
    await until(() => expect(reader.ids).toEqual(['a']));
    await expect(eu.ask('us', 'holds', question)).rejects.toBeInstanceOf(BusDown);
    await paused.close();
    us.answer(() => Promise.resolve(Uint8Array.of(1)));
    await until(() => expect(eu.ask('us', 'holds', question)).resolves.toEqual(Uint8Array.of(1)));
    await us.publish(message('b'));
    await until(() => expect(reader.ids).toEqual(['a', 'b']));
    expect(reader.ended).toBe(false);
  });

  test('R15 parts may come in any order and again', async () => {
    await impostor((_asked, part) => {
      for (const index of [2, 0, 2, 1, 0]) part(`${index}/3`, Uint8Array.of(index));
    });
    expect(await eu.ask('us', 'holds', question)).toEqual(Uint8Array.of(0, 1, 2));
  });

  test('R15 a part that is missing fails the question', async () => {
    await impostor((_asked, part) => {
      for (const index of [0, 2]) part(`${index}/3`, Uint8Array.of(index));
    });
    await expect(eu.ask('us', 'holds', question)).rejects.toBeInstanceOf(BusDown);
  });

  test('R10 what is no part, or too much, fails the question at once', async () => {
    const places = ['', '1/1', '0/9999'];
    await impostor((_asked, part) => part(places.shift() ?? '', Uint8Array.of(1)));
    for (let n = 0; n < 3; n++) {
      const askedAt = performance.now();
      await expect(eu.ask('us', 'holds', question)).rejects.toBeInstanceOf(BusDown);
      expect(performance.now() - askedAt).toBeLessThan(TIMINGS.askMs);
    }
  });

  test('R15 an operation that this version does not know is told', async () => {
    us.answer(() => Promise.resolve(question));
    await until(() => expect(eu.ask('us', 'holds', question)).resolves.toBeDefined());
    await expect(eu.ask('us', 'later' as Operation, question)).rejects.toThrow(/RangeError/);
  });

  test('R10 large answers leave the stream room on a long road', async () => {
    world.links.slow('us', 'eu', 60);
    const large = new Uint8Array(12 * 1024 * 1024).fill(9);
    us.answer(() => Promise.resolve(large));
    await until(() => expect(eu.ask('us', 'buckets', question)).resolves.toBeDefined());
    const reader = read(eu, 'us', 1);
    const answers = [1, 2, 3].map(() => eu.ask('us', 'state', question));
    for (const id of numbered(300)) await us.publish(message(id));
    for (const answer of await Promise.all(answers)) expect(Buffer.compare(answer, large)).toBe(0);
    await until(() => expect(reader.messages).toHaveLength(300));
    expect(reader.ended).toBe(false);
  });
});

test('R10 what is told faster than the broker takes it does not pile up', async () => {
  const hearing = world.bus('us');
  let heard = 0;
  let last = '';
  hearing.hear((messages) => {
    heard += messages.filter(({ bytes }) => bytes.length > 1).length;
    last = messages.at(-1)!.name;
  });
  await until(() => {
    us.tell([message('a')]);
    expect(heard).toBeGreaterThan(0);
  });
  const bytes = new Uint8Array(512 * 1024);
  heard = 0;
  for (let n = 0; n < 200; n++) us.tell([{ name: 'acme/canvas/large', bytes }]);
  await until(() => {
    us.tell([{ name: 'acme/canvas/last', bytes: Uint8Array.of(1) }]);
    expect(last).toBe('acme/canvas/last');
  });
  expect(heard).toBeLessThan(40);
});

test('R3 reports that are none, or of strangers, are not heard', async () => {
  const reports: StoredUpTo[] = [];
  us.hearReports((report) => void reports.push(report));
  const peer = await world.as('us', peerUser(ZONE, 'eu'), 'peer', '_INBOX_eu');
  const stored = { region: 'eu', incarnation: 'i1', sequence: 3, messageId: 'i1.3' };
  for (const said of ['', '{', 'null', '{}', { ...stored, region: 'ap' }, { ...stored, sequence: '3' }])
    peer.publish('ae.us.stored', typeof said === 'string' ? said : JSON.stringify(said));
  await until(() => {
    peer.publish('ae.us.stored', JSON.stringify({ ...stored, more: 'later' }));
    expect(reports.length).toBeGreaterThan(0);
  });
  for (const report of reports) expect(report).toEqual(stored);
});

test('R6 wrong credentials are told at once', async () => {
  const stranger = { url: world.servers.us.url, user: 'nobody', password: 'nothing' };
  const bus = openNatsBus({ region: 'us', zone: ZONE, nats: stranger, peers: [] });
  await expect(bus.open()).rejects.toThrow(/authorization/i);
  await bus.close();
});
