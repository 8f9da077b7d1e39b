import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Part, type Process } from './part.ts';

/** Processes that exist only in this test. */
class Fake implements Process {
  static started: Fake[] = [];
  readonly pid = Fake.started.push(this);
  readonly #exit = Promise.withResolvers<void>();
  readonly exited = this.#exit.promise;
  ended: string | undefined;

  async stop(): Promise<void> {
    this.end('stopped');
  }
  async kill(): Promise<void> {
    this.end('killed');
  }
  end(how: string): void {
    this.ended ??= how;
    this.#exit.resolve();
  }
}

const lines: string[] = [];
const part = (over: Partial<ConstructorParameters<typeof Part>[0]> = {}): Part =>
  new Part({
    name: 'it',
    start: async () => new Fake(),
    supervise: true,
    report: (line) => lines.push(line),
    ...over,
  });

beforeEach(() => {
  vi.useFakeTimers();
  Fake.started = [];
  lines.length = 0;
});
afterEach(() => vi.useRealTimers());

test('starts, stops and starts again', async () => {
  const it = part();
  await it.start();
  expect([it.state, it.pid]).toEqual(['ready', 1]);
  await it.restart();
  expect(Fake.started.map(({ ended }) => ended)).toEqual(['stopped', undefined]);
  await it.stop();
  expect([it.state, it.pid]).toEqual(['stopped', undefined]);
});

test('starts again what ended by itself, later each time, and says so', async () => {
  const it = part();
  await it.start();
  for (const waitMs of [250, 500, 1000]) {
    const started = Fake.started.length;
    Fake.started.at(-1)!.end('by itself');
    await vi.advanceTimersByTimeAsync(waitMs - 1);
    expect([it.state, Fake.started.length]).toEqual(['restarting', started]);
    await vi.advanceTimersByTimeAsync(1);
    expect([it.state, Fake.started.length]).toEqual(['ready', started + 1]);
  }
  expect(lines.slice(0, 2)).toEqual(['it (pid 1) ended by itself', 'it runs again']);
});

test('goes on trying when a start fails', async () => {
  let broken = false;
  const it = part({
    start: async () => {
      if (broken) throw new Error('no room');
      return new Fake();
    },
  });
  await it.start();
  broken = true;
  Fake.started[0]!.end('by itself');
  await vi.advanceTimersByTimeAsync(250);
  expect(lines).toContain('it did not start again: no room');
  broken = false;
  await vi.advanceTimersByTimeAsync(10_000);
  expect(it.state).toBe('ready');
});

test('leaves dead what was killed, and what nobody watches', async () => {
  const killed = part();
  await killed.start();
  await killed.kill();
  const unwatched = part({ supervise: false });
  await unwatched.start();
  Fake.started.at(-1)!.end('by itself');
  await vi.advanceTimersByTimeAsync(60_000);
  expect([killed.state, unwatched.state, Fake.started.length]).toEqual(['dead', 'dead', 2]);
  await killed.restart();
  expect(killed.state).toBe('ready');
});

test('calls off a start when it is to stop', async () => {
  const it = part({
    start: (signal) =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error));
      }),
  });
  const starting = it.start();
  const refused = expect(starting).rejects.toThrow('aborted');
  await vi.advanceTimersByTimeAsync(0);
  expect(it.state).toBe('starting');
  await it.stop();
  await refused;
  expect(it.state).toBe('stopped');
});
