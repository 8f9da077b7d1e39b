import { BusDown, type Bus } from '@causeway/replica';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BATCH } from './batches.ts';
import { presenceContract } from './contract-presence.ts';
import { talkContract } from './contract-talk.ts';
import { message, numbered, publish, stored, text, told, until, type BusWorld } from './contract-world.ts';
import { Reader } from './reader.ts';

/** Registers the tests that every bus passes; `open` makes a fresh world for each. */
export function busContract(name: string, open: () => Promise<BusWorld>): void {
  talkContract(name, open);
  presenceContract(name, open);
  describe(`${name}: the contract of a bus, streams`, { timeout: 30_000 }, () => {
    let world: BusWorld;
    let us: Bus;
    let eu: Bus;
    const readers: Reader[] = [];
    const read = (...args: ConstructorParameters<typeof Reader>): Reader => {
      const reader = new Reader(...args);
      readers.push(reader);
      return reader;
    };
    /** A reader of `us` in `eu` that has shown to be reading. */
    const reading = async (bus: Bus, from = 1): Promise<Reader> => {
      const reader = read(bus, 'us', from);
      await until(() => expect(reader.messages.length).toBeGreaterThan(0));
      return reader;
    };

    beforeEach(async () => {
      world = await open();
      us = world.bus('us');
      eu = world.bus('eu');
      await us.open();
    });
    afterEach(async () => {
      world.heal();
      for (const reader of readers.splice(0)) await reader.stop();
      await world.close();
    });

    test('R3 what is published arrives once, whole, in the order of the calls', async () => {
      const ids = numbered(2_000);
      const reader = read(eu, 'us', 1);
      const acks = await publish(us, ids);
      await until(() => expect(reader.messages).toHaveLength(ids.length));
      expect(reader.ids).toEqual(ids);
      expect(acks.map((ack) => ack.sequence)).toEqual(ids.map((_, n) => n + 1));
      expect(reader.messages[7]).toEqual({ sequence: 8, ...message('m7') });
    });

    test('R3 a follow begins where it is told to', async () => {
      await publish(us, numbered(1_200));
      const reader = read(eu, 'us', 1_001);
      await until(() => expect(reader.messages).toHaveLength(200));
      expect(reader.messages[0]).toMatchObject({ sequence: 1_001, id: 'm1000' });
    });

    test('R4 a repeated id is one message', async () => {
      expect(await publish(us, ['a'])).toEqual([{ sequence: 1, repeat: false }]);
      expect(await publish(us, ['a', 'b'])).toEqual([
        { sequence: 1, repeat: true },
        { sequence: 2, repeat: false },
      ]);
      const reader = await reading(eu);
      await until(() => expect(reader.ids).toEqual(['a', 'b']));
    });

    test('R10 batches are bounded by messages and come one at a time', async () => {
      await publish(us, numbered(1_800));
      const reader = read(eu, 'us', 1, () => new Promise(setImmediate));
      await until(() => expect(reader.messages).toHaveLength(1_800));
      expect(reader.overlap).toBe(1);
      expect(Math.max(...reader.batches.map((batch) => batch.length))).toBeLessThanOrEqual(BATCH.messages);
    });

    test('R10 batches are bounded by bytes, and one large message passes', async () => {
      const large = new Uint8Array(400 * 1024).fill(7);
      await Promise.all(numbered(12).map((id) => us.publish(message(id, large))));
      const reader = read(eu, 'us', 1);
      await until(() => expect(reader.messages).toHaveLength(12));
      for (const batch of reader.batches)
        expect(batch.reduce((sum, { bytes }) => sum + bytes.length, 0)).toBeLessThanOrEqual(BATCH.bytes);
      expect(reader.messages.at(-1)!.bytes).toEqual(large);
    });

    test('R10 nothing is delivered while the receiver is busy, and a follow survives that', async () => {
      await publish(us, numbered(3_000));
      const { promise: busy, resolve: release } = Promise.withResolvers<void>();
      const reader = read(eu, 'us', 1, () => busy);
      await until(() => expect(reader.batches).toHaveLength(1));
      await publish(us, ['late']);
      expect(reader.batches).toHaveLength(1);
      release();
      await until(() => expect(reader.messages).toHaveLength(3_001));
      expect(reader.ended).toBe(false);
    });

    test('R15 a stream keeps its name as long as it stands, whoever asks', async () => {
      const before = await us.open();
      await publish(us, numbered(3));
      expect(before.lastSequence).toBe(0);
      expect(await world.bus('us').open()).toEqual({ stream: before.stream, lastSequence: 3 });
      await world.kill('us');
      await world.start('us');
      expect(await us.open()).toEqual({ stream: before.stream, lastSequence: 3 });
    });

    test('R15 a stream that was deleted gets another name', async () => {
      const before = await us.open();
      await publish(us, numbered(3));
      const reader = await reading(eu);
      await world.deleteStream('us');
      expect(await reader.failure).toBeInstanceOf(BusDown);
      const after = await us.open();
      expect(after.stream).not.toBe(before.stream);
      expect(after.lastSequence).toBe(0);
      expect(await publish(us, ['a'])).toEqual([{ sequence: 1, repeat: false }]);
    });

    test('R15 what retention deleted is skipped, and numbering goes on', async () => {
      const before = await us.open();
      await publish(us, numbered(10));
      await world.purge('us', 9);
      const reader = await reading(eu, 3);
      expect(reader.messages.map(({ sequence }) => sequence)).toEqual([9, 10]);
      expect(await us.open()).toEqual({ stream: before.stream, lastSequence: 10 });
    });

    test('R15 a reader that is ahead of the stream gets nothing until the stream is there too', async () => {
      await publish(us, numbered(5));
      const reader = read(eu, 'us', 8);
      // Whatever has been numbered below 8 by the time that the reader is ready is not for it.
      await publish(us, ['six', 'seven', 'eight', 'nine']);
      await until(() => expect(reader.ids).toEqual(['eight', 'nine']));
      expect(reader.messages.map(({ sequence }) => sequence)).toEqual([8, 9]);
    });

    test('R15 a silent link ends a follow, and after it heals a new one has the rest', async () => {
      await publish(us, ['a']);
      const reader = await reading(eu);
      world.cut();
      await publish(us, ['b', 'c']);
      expect(await reader.failure).toBeInstanceOf(BusDown);
      expect(reader.ids).toEqual(['a']);
      await expect(eu.hello('us')).rejects.toBeInstanceOf(BusDown);
      const tooEarly = read(eu, 'us', 2);
      expect(await tooEarly.failure).toBeInstanceOf(BusDown);
      world.heal();
      const resumed = await reading(eu, 2);
      await until(() => expect(resumed.ids).toEqual(['b', 'c']));
    });

    test('R15 a reset connection ends a follow, and a new one has the rest', async () => {
      await publish(us, ['a']);
      const reader = await reading(eu);
      await world.reset();
      expect(await reader.failure).toBeInstanceOf(BusDown);
      await publish(us, ['b']);
      expect((await reading(eu, 2)).ids).toEqual(['b']);
    });

    test('R5 publishing needs no other region', async () => {
      world.cut();
      await world.kill('eu');
      expect(await publish(us, numbered(100))).toHaveLength(100);
    });

    test('R5 a dead broker is told within seconds, and R3 what it had acknowledged is still there', async () => {
      await publish(us, numbered(50));
      const reader = await reading(eu);
      await world.kill('us');
      expect(await reader.failure).toBeInstanceOf(BusDown);
      await expect(us.publish(message('lost'))).rejects.toBeInstanceOf(BusDown);
      await expect(us.open()).rejects.toBeInstanceOf(BusDown);
      await expect(eu.hello('us')).rejects.toBeInstanceOf(BusDown);
      await world.start('us');
      await publish(us, ['after']);
      const resumed = await reading(eu);
      await until(() => expect(resumed.ids).toEqual([...numbered(50), 'after']));
    });

    test('R3 a failing receiver ends the follow with its own error', async () => {
      await publish(us, numbered(3));
      const broken = new Error('the store is gone');
      const reader = read(eu, 'us', 1, () => Promise.reject(broken));
      expect(await reader.failure).toBe(broken);
      expect(reader.batches).toHaveLength(1);
    });

    test('R3 a follow ends with the reason of its signal, never during a delivery', async () => {
      await publish(us, ['a']);
      const { promise: busy, resolve: release } = Promise.withResolvers<void>();
      const reader = read(eu, 'us', 1, () => busy);
      await until(() => expect(reader.batches).toHaveLength(1));
      const reason = new Error('enough');
      const stopped = reader.stop(reason);
      await publish(us, ['b']);
      expect(reader.ended).toBe(false);
      release();
      await stopped;
      expect(await reader.failure).toBe(reason);
      expect(reader.ids).toEqual(['a']);
    });

    test('R3 a follow with a signal that has fired already does not begin', async () => {
      const reason = new Error('too late');
      const follow = eu.follow('us', 1, () => Promise.resolve(), AbortSignal.abort(reason));
      await expect(follow).rejects.toBe(reason);
    });

    test('R15 the newest reader of a region takes over from the one before', async () => {
      await publish(us, ['a']);
      const old = await reading(eu);
      const successor = await reading(world.bus('eu'));
      expect(await old.failure).toBeInstanceOf(BusDown);
      await publish(us, ['b']);
      await until(() => expect(successor.ids).toEqual(['a', 'b']));
    });

    test('R15 a hello is what the peer says now', async () => {
      let lastSequence = 7;
      us.answerHello(() => ({ incarnation: 'i1', lastSequence }));
      await until(async () => expect(await eu.hello('us')).toEqual({ incarnation: 'i1', lastSequence: 7 }));
      lastSequence = 8;
      expect(await eu.hello('us')).toEqual({ incarnation: 'i1', lastSequence: 8 });
      us.answerHello(() => ({ incarnation: 'i2', lastSequence: 1 }));
      expect(await eu.hello('us')).toEqual({ incarnation: 'i2', lastSequence: 1 });
    });

    test('R15 without an answer to hello there is no hello', async () => {
      await expect(eu.hello('us')).rejects.toBeInstanceOf(BusDown);
      us.answerHello(() => undefined);
      await expect(eu.hello('us')).rejects.toBeInstanceOf(BusDown);
    });

    test('R15 any process of a peer answers hello, also after its broker restarted', async () => {
      us.answerHello(() => undefined);
      world.bus('us').answerHello(() => ({ incarnation: 'i1', lastSequence: 0 }));
      await until(() => expect(eu.hello('us')).resolves.toMatchObject({ incarnation: 'i1' }));
      await world.kill('us');
      await world.start('us');
      await until(() => expect(eu.hello('us')).resolves.toMatchObject({ incarnation: 'i1' }));
    });

    test('R6 a region outside the zone can be neither read nor asked', async () => {
      await expect(eu.hello('ap')).rejects.toBeInstanceOf(BusDown);
      await expect(eu.ask('ap', 'buckets', text('q'))).rejects.toBeInstanceOf(BusDown);
      eu.report('ap', stored(1));
      expect(await read(eu, 'ap', 1).failure).toBeInstanceOf(BusDown);
    });

    test('R3 a closed bus ends everything', async () => {
      await publish(us, ['a']);
      const reader = await reading(eu);
      await eu.close();
      await us.close();
      await us.close();
      expect(await reader.failure).toBeInstanceOf(BusDown);
      await expect(us.publish(message('b'))).rejects.toBeInstanceOf(BusDown);
      await expect(us.open()).rejects.toBeInstanceOf(BusDown);
      await expect(eu.hello('us')).rejects.toBeInstanceOf(BusDown);
      await expect(eu.ask('us', 'buckets', text('q'))).rejects.toBeInstanceOf(BusDown);
      us.tell([told('a')]);
      eu.report('us', stored(1));
    });
  });
}
