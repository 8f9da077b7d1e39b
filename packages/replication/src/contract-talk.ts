import { BusDown, type Bus, type Operation, type StoredUpTo } from '@causeway/replica';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { message, numbered, publish, stored, text, told, until, type BusWorld } from './contract-world.ts';

const echo = async (operation: Operation, question: Uint8Array): Promise<Uint8Array> =>
  Uint8Array.of(operation.length, ...question);
const filled = (length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, n) => (n * 31 + (n >> 11)) & 255);

/** The ids of what a process hears from now on. */
function hearing(bus: Bus): string[] {
  const heard: string[] = [];
  bus.hear((messages) => {
    for (const { bytes } of messages) heard.push(new TextDecoder().decode(bytes).slice('bytes of '.length));
  });
  return heard;
}

/** The tests of what is not stored: told, reported, asked. */
export function talkContract(name: string, open: () => Promise<BusWorld>): void {
  describe(`${name}: the contract of a bus, talk`, { timeout: 30_000 }, () => {
    let world: BusWorld;
    let us: Bus;
    let eu: Bus;
    beforeEach(async () => {
      world = await open();
      us = world.bus('us');
      eu = world.bus('eu');
      await us.open();
    });
    afterEach(async () => {
      world.heal();
      await world.close();
    });

    /** Asks until somebody listens there; from then on a question is answered at the first time. */
    const listening = (): Promise<unknown> =>
      until(() => expect(eu.ask('us', 'buckets', text('ready'))).resolves.toBeDefined());

    describe('what the processes of a region say to each other', () => {
      let other: Bus;
      let heard: string[];
      beforeEach(async () => {
        other = world.bus('us');
        heard = hearing(other);
        // Hearing begins some time after `hear`: until then what is told is missed.
        await until(() => {
          us.tell([told('ready')]);
          expect(heard).toContain('ready');
        });
        us.tell([told('begin')]);
        await until(() => expect(heard).toContain('begin'));
        heard.length = 0;
      });

      test('R5 a process hears what another one published and told, in order and whole', async () => {
        const batches: number[] = [];
        const messages: unknown[] = [];
        other.hear((batch) => {
          batches.push(batch.length);
          messages.push(...batch);
        });
        await publish(us, ['a']);
        us.tell(numbered(500).map(told));
        await publish(us, ['b']);
        await until(() => expect(messages).toHaveLength(502));
        const { name, bytes } = message('a');
        expect(messages[0]).toEqual({ name, bytes });
        expect(messages.slice(1, 501)).toEqual(numbered(500).map(told));
        expect(batches.length).toBeLessThan(100);
      });

      test('R5 no process hears itself, and none hears another region', async () => {
        const own = hearing(us);
        const abroad = hearing(eu);
        await publish(us, ['a']);
        us.tell([told('b')]);
        eu.tell([told('elsewhere')]);
        await until(() => expect(heard).toHaveLength(2));
        await until(() => {
          other.tell([told('theirs')]);
          expect(own).toContain('theirs');
        });
        expect(new Set(own)).toEqual(new Set(['theirs']));
        expect(abroad).toEqual([]);
      });

      test('R5 R10 with a dead broker a process tells nobody and waits for nobody, and then goes on', async () => {
        await world.kill('us');
        await expect(us.publish(message('lost'))).rejects.toBeInstanceOf(BusDown);
        heard.length = 0;
        us.tell(numbered(100, 'dead').map(told));
        await world.start('us');
        await until(() => {
          us.tell([told('back')]);
          expect(heard).toContain('back');
        });
        expect(heard).not.toContain('dead0');
      });
    });

    describe('how far a stream is stored elsewhere', () => {
      test('R3 every process of a region hears the reports, also after its broker restarted', async () => {
        const reports: StoredUpTo[][] = [[], []];
        us.hearReports((report) => void reports[0]!.push(report));
        world.bus('us').hearReports((report) => void reports[1]!.push(report));
        const arrives = (sequence: number): Promise<unknown> =>
          until(async () => {
            await eu.hello('us').catch(() => undefined);
            eu.report('us', stored(sequence));
            for (const heard of reports) expect(heard).toContainEqual(stored(sequence));
          });
        us.answerHello(() => ({ incarnation: 'i1', lastSequence: 0 }));
        await arrives(7);
        await world.kill('us');
        eu.report('us', stored(8));
        await world.start('us');
        await arrives(9);
      });

      test('R5 nobody waits for a report that cannot get through', async () => {
        world.cut();
        for (let sequence = 1; sequence <= 1_000; sequence++) eu.report('us', stored(sequence));
        await publish(us, ['a']);
      });
    });

    describe('questions', () => {
      test('R15 a question and its answer arrive whole', async () => {
        us.answer(echo);
        await listening();
        expect(await eu.ask('us', 'holds', Uint8Array.of(1, 2))).toEqual(Uint8Array.of(5, 1, 2));
        expect(await eu.ask('us', 'state', new Uint8Array())).toEqual(Uint8Array.of(5));
        us.answer(() => Promise.resolve(new Uint8Array()));
        expect(await eu.ask('us', 'cells', new Uint8Array())).toEqual(new Uint8Array());
      });

      test('R10 both may be larger than a message', async () => {
        const question = filled(5_000_001);
        const answer = filled(20_000_003);
        let asked: Uint8Array | undefined;
        us.answer(async (_operation, bytes) => {
          asked = bytes;
          return answer;
        });
        await listening();
        const answered = await eu.ask('us', 'state', question);
        expect(Buffer.compare(answered, answer)).toBe(0);
        expect(Buffer.compare(asked!, question)).toBe(0);
      });

      test('R10 what is larger than 16 MiB cannot be asked, what is larger than 64 MiB not answered', async () => {
        us.answer(() => Promise.resolve(new Uint8Array(64 * 1024 * 1024 + 1)));
        const tooLarge = new Uint8Array(16 * 1024 * 1024 + 1);
        await expect(eu.ask('us', 'state', tooLarge)).rejects.toBeInstanceOf(RangeError);
        await until(() => expect(eu.ask('us', 'state', text('q'))).rejects.toThrow(/RangeError/));
        await expect(eu.ask('us', 'state', text('q'))).rejects.toBeInstanceOf(BusDown);
      });

      test('R15 whoever asks is told the name of the error, and no more', async () => {
        us.answer(() => Promise.reject(new TypeError('a secret')));
        await until(() => expect(eu.ask('us', 'state', text('q'))).rejects.toThrow(/TypeError/));
        const failure = await eu.ask('us', 'state', text('q')).catch((error: unknown) => error);
        expect(failure).toBeInstanceOf(BusDown);
        expect(String(failure)).not.toContain('secret');
      });

      test('R15 one process of a region answers, and another one when that is gone', async () => {
        const answered = [0, 0];
        const two = world.bus('us');
        const counting = (process: number) => async (): Promise<Uint8Array> => {
          answered[process]!++;
          return Uint8Array.of(process);
        };
        us.answer(counting(0));
        two.answer(counting(1));
        await until(async () => {
          await eu.ask('us', 'buckets', text('q'));
          expect(Math.min(...answered)).toBeGreaterThan(0);
        });
        const before = answered[0]! + answered[1]!;
        for (let n = 0; n < 20; n++) await eu.ask('us', 'buckets', text('q'));
        expect(answered[0]! + answered[1]!).toBe(before + 20);
        await us.close();
        expect(await eu.ask('us', 'buckets', text('q'))).toEqual(Uint8Array.of(1));
      });

      test('R15 without anybody who answers, and over a cut link, a question fails', async () => {
        await expect(eu.ask('us', 'buckets', text('q'))).rejects.toBeInstanceOf(BusDown);
        us.answer(echo);
        await listening();
        world.cut();
        await expect(eu.ask('us', 'buckets', text('q'))).rejects.toBeInstanceOf(BusDown);
        world.heal();
        await listening();
        await world.kill('us');
        await expect(eu.ask('us', 'buckets', text('q'))).rejects.toBeInstanceOf(BusDown);
        await world.start('us');
        await listening();
      });

      test('R15 a broken connection ends a question', async () => {
        us.answer(echo);
        await listening();
        const { promise: asked, resolve } = Promise.withResolvers<void>();
        us.answer(() => {
          resolve();
          return new Promise(() => undefined);
        });
        const asking = eu.ask('us', 'buckets', text('q')).catch((error: unknown) => error);
        await asked;
        await world.reset();
        expect(await asking).toBeInstanceOf(BusDown);
      });

      test('R10 four answers are under way at once, others wait their turn, too many are turned away', async () => {
        us.answer(echo);
        await listening();
        let underWay = 0;
        let most = 0;
        const { promise: enough, resolve: release } = Promise.withResolvers<void>();
        us.answer(async (_operation, question) => {
          most = Math.max(most, ++underWay);
          await enough;
          underWay--;
          return question;
        });
        const busy: unknown[] = [];
        const turnedAway = (error: unknown): void => {
          if (busy.push(error) === 2) release();
        };
        const asking = numbered(70).map((id) =>
          eu.ask('us', 'state', text(id)).then((bytes) => expect(bytes).toEqual(text(id)), turnedAway),
        );
        await Promise.all(asking);
        expect(busy).toHaveLength(2);
        for (const error of busy) expect(String(error)).toMatch(/BusDown.*Busy/);
        expect(most).toBe(4);
      });
    });
  });
}
