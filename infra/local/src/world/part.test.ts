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
  paused = false;
  async pause(): Promise<() => void> {
    this.paused = true;
    return () => (this.paused = false);
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

test('pauses and goes on, and nothing that does not run', async () => {
  const it = part();
  await expect(it.pause()).rejects.toThrow('nothing to pause: it is stopped');
  await it.start();
  await expect(it.resume()).rejects.toThrow('nothing to resume: it is ready');
  await it.pause();
  await it.pause();
  expect([it.state, Fake.started[0]!.paused]).toEqual(['paused', true]);
  await it.resume();
  expect([it.state, Fake.started[0]!.paused, Fake.started.length]).toEqual(['ready', false, 1]);
});

test.each(['stop', 'kill', 'restart'] as const)('what is paused can be ended by %s', async (end) => {
  const it = part();
  await it.start();
  await it.pause();
  const [paused] = Fake.started;
  const awakeAtTheEnd: boolean[] = [];
  vi.spyOn(paused!, 'end').mockImplementation(() => void awakeAtTheEnd.push(!paused!.paused));
  await it[end]();
  expect(paused!.paused).toBe(false);
  // SIGKILL reaches also who is paused.
  if (end !== 'kill') expect(awakeAtTheEnd).toEqual([true]);
  expect(it.state).toBe({ stop: 'stopped', kill: 'dead', restart: 'ready' }[end]);
});

test('what ends by itself while it is paused is started again', async () => {
  const it = part();
  await it.start();
  await it.pause();
  Fake.started[0]!.end('by itself');
  await vi.advanceTimersByTimeAsync(250);
  expect([it.state, Fake.started.length]).toEqual(['ready', 2]);
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
