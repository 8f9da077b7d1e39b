import { CausewayError, commandId, type Ack, type Command, type ErrorCode } from '@causeway/protocol';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ClientClock } from './client-clock.ts';
import { CommandMaker } from './command-maker.ts';
import { OUTBOX_ENTRIES, Outbox } from './outbox.ts';

let drawn = 0;
const make = new CommandMaker({
  workspace: 'acme',
  member: 'ada',
  clock: new ClientClock(() => 1_000),
  randomBytes: (count) =>
    new Uint8Array(count).map((_, at) => (at === 0 ? drawn >> 8 : at === 1 ? drawn++ : 0)),
});
const ackOf = (command: Command): Ack => ({ id: commandId(command), level: 'region', token: [], clock: 1 });

/** A region whose answers are given by hand, in the order in which it was asked. */
class Region {
  readonly asked: Command[] = [];
  readonly acknowledged: Command[] = [];
  readonly outbox: Outbox;
  #answers: PromiseWithResolvers<Ack>[] = [];

  constructor() {
    this.outbox = new Outbox({
      send: (command) => {
        this.asked.push(command);
        const answer = Promise.withResolvers<Ack>();
        this.#answers.push(answer);
        return answer.promise;
      },
      acknowledged: (command) => void this.acknowledged.push(command),
      random: () => 1,
      now: () => 1_000,
    });
  }

  async acknowledge(): Promise<void> {
    this.#answers.shift()!.resolve(ackOf(this.asked.at(-1 - this.#answers.length)!));
    await settle();
  }

  async refuse(code: ErrorCode, retryAfter?: number): Promise<void> {
    const more = retryAfter === undefined ? {} : { retryAfter };
    this.#answers.shift()!.reject(new CausewayError(code, code, more));
    await settle();
  }
}

/** Lets everything run that needs no time. */
const settle = () => vi.advanceTimersByTimeAsync(0);
const states = (outbox: Outbox) => outbox.getSnapshot().map(({ state, error }) => [state, error?.code]);

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('R4 a command is repeated unchanged until a region acknowledges it', async () => {
  const region = new Region();
  const command = make.post('general', 'hi');
  const done = region.outbox.add(command);
  await region.refuse('not-committed');
  expect(states(region.outbox)).toEqual([['waiting', 'not-committed']]);
  await vi.advanceTimersByTimeAsync(249);
  expect(region.asked).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(1);
  await region.refuse('internal');
  await vi.advanceTimersByTimeAsync(500);
  await region.acknowledge();
  expect(region.asked).toEqual([command, command, command]);
  expect(await done).toEqual(ackOf(command));
  expect(region.acknowledged).toEqual([command]);
  expect(region.outbox.getSnapshot()).toEqual([]);
  expect(vi.getTimerCount()).toBe(0);
});

test('R4 a command that waits already is not taken twice', () => {
  const { outbox } = new Region();
  const command = make.post('general', 'hi');
  expect(outbox.add(command)).toBe(outbox.add({ ...command }));
  expect(outbox.getSnapshot()).toHaveLength(1);
});

test('within a channel the next one waits for the one before; other channels do not', async () => {
  const region = new Region();
  const [first, second, other] = [
    make.post('general', '1'),
    make.post('general', '2'),
    make.post('random', '3'),
  ];
  for (const command of [first, second, other]) void region.outbox.add(command);
  expect(region.asked).toEqual([first, other]);
  await region.acknowledge();
  expect(region.asked).toEqual([first, other, second]);
});

test('what a repeat cannot mend is given up with its error, and the next one goes on', async () => {
  const region = new Region();
  const [first, second] = [make.post('general', 'too long'), make.post('general', 'short')];
  const refused = region.outbox.add(first);
  void region.outbox.add(second);
  await region.refuse('body-too-large');
  await expect(refused).rejects.toMatchObject({ code: 'body-too-large' });
  expect(states(region.outbox)).toEqual([
    ['failed', 'body-too-large'],
    ['sending', undefined],
  ]);
});

test('a failed command can be sent again as it is, replaced, or forgotten', async () => {
  const region = new Region();
  const command = make.edit('general', 'M', 'words');
  void region.outbox.add(command);
  await region.refuse('clock-ahead');
  const id = commandId(command);
  void region.outbox.retry(id);
  await region.refuse('clock-ahead');
  const instead = make.again(command);
  void region.outbox.retry(id, instead);
  await region.refuse('gone');
  expect(region.asked).toEqual([command, command, instead]);
  region.outbox.discard(commandId(instead));
  expect(region.outbox.getSnapshot()).toEqual([]);
});

test('a region that asks for time gets it', async () => {
  const region = new Region();
  void region.outbox.add(make.post('general', 'hi'));
  await region.refuse('rate-limited', 7);
  await vi.advanceTimersByTimeAsync(6_999);
  expect(region.asked).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(region.asked).toHaveLength(2);
});

test('woken, it does not wait for the end of its pause', async () => {
  const region = new Region();
  void region.outbox.add(make.post('general', 'hi'));
  await region.refuse('not-ready', 60);
  region.outbox.wake();
  await settle();
  expect(region.asked).toHaveLength(2);
  expect(vi.getTimerCount()).toBe(0);
});

test('R10 one more than it holds is refused', async () => {
  const { outbox } = new Region();
  for (let count = 0; count < OUTBOX_ENTRIES; count++) void outbox.add(make.post('general', 'hi'));
  await expect(outbox.add(make.post('general', 'hi'))).rejects.toMatchObject({ code: 'rate-limited' });
  expect(outbox.getSnapshot()).toHaveLength(OUTBOX_ENTRIES);
});

test('closed, it leaves no timer, and nobody waits for an answer', async () => {
  const region = new Region();
  const done = region.outbox.add(make.post('general', 'hi'));
  await region.refuse('not-ready');
  expect(vi.getTimerCount()).toBe(1);
  region.outbox.close();
  await expect(done).rejects.toMatchObject({ code: 'not-committed' });
  await expect(region.outbox.add(make.post('general', 'more'))).rejects.toThrow('closed');
  expect(vi.getTimerCount()).toBe(0);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(region.asked).toHaveLength(1);
});

test('it tells of every change, and shows the same list until there is one', async () => {
  const region = new Region();
  let told = 0;
  const leave = region.outbox.subscribe(() => told++);
  void region.outbox.add(make.post('general', 'hi'));
  expect(told).toBeGreaterThan(0);
  expect(region.outbox.getSnapshot()).toBe(region.outbox.getSnapshot());
  const before = told;
  leave();
  await region.acknowledge();
  expect(told).toBe(before);
});
