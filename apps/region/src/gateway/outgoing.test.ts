import type { Duplex } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { OutgoingCounts } from '../metrics.ts';
import { Outgoing, frameOf, type Source } from './outgoing.ts';

const MIB = 1024 * 1024;

/** A socket whose kernel takes what it is told to take. */
class Wire {
  /** Each write of the kernel: the frames in it. */
  readonly writes: Uint8Array[][] = [];
  readonly #done: (() => void)[] = [];
  /** While false, `take` has to be called. */
  takes = true;

  cork(): void {
    this.writes.push([]);
  }

  uncork(): void {
    if (this.takes) this.take();
  }

  write(frame: Uint8Array, done?: () => void): void {
    this.writes.at(-1)!.push(frame);
    if (done !== undefined) this.#done.push(done);
  }

  take(): void {
    const done = this.#done.splice(0);
    queueMicrotask(() => {
      for (const each of done) each();
    });
  }

  get bytes(): number {
    return this.writes.flat().reduce((sum, { length }) => sum + length, 0);
  }
}

/** A source that makes up for what it lost with so many messages of so many bytes. */
class Counter implements Source {
  losses = 0;
  readonly made: number[] = [];
  readonly pieces: number;
  #left = 0;

  constructor(pieces = 1) {
    this.pieces = pieces;
  }

  lost(): void {
    this.losses++;
    this.#left = this.pieces;
  }

  async catchUp(write: (data: Uint8Array) => void): Promise<boolean> {
    if (this.#left === 0) return true;
    write(message(1_000));
    this.made.push(--this.#left);
    return this.#left === 0;
  }
}

const message = (bytes: number): Uint8Array => new Uint8Array(bytes);

let wire: Wire;
let outgoing: Outgoing;
let counts: OutgoingCounts;
let failures: unknown[];
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  wire = new Wire();
  counts = new OutgoingCounts();
  failures = [];
  outgoing = new Outgoing({
    wire: wire as unknown as Duplex,
    failed: (cause) => failures.push(cause),
    counts,
  });
});
afterEach(() => void vi.useRealTimers());

const update = (source: Source, bytes = 100): void => outgoing.update(source, message(bytes), message(bytes));
const settle = (ms = 0): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

describe('the queue of a socket', () => {
  it('writes at once when idle, and what follows within 20 ms in one write', async () => {
    const source = new Counter();
    counts.writesLately = 1_000;
    for (let n = 0; n < 10; n++) update(source);
    expect(wire.writes.map(({ length }) => length)).toEqual([1]);
    await settle(19);
    expect(wire.writes).toHaveLength(1);
    await settle(1);
    expect(wire.writes.map(({ length }) => length)).toEqual([1, 9]);
    await settle(100);
    update(source);
    expect(wire.writes).toHaveLength(3);
  });

  it('gathers for 4 ms only while the process has little to write', async () => {
    const source = new Counter();
    for (let n = 0; n < 10; n++) update(source);
    await settle(4);
    expect(wire.writes.map(({ length }) => length)).toEqual([1, 9]);
  });

  it('an answer does not delay the next update', () => {
    outgoing.say(message(3));
    wire.take();
    return settle().then(() => {
      update(new Counter());
      expect(wire.writes).toHaveLength(2);
    });
  });

  it('R2 an answer leaves at once and takes along what waits, in order', async () => {
    const source = new Counter();
    update(source, 1);
    await settle();
    update(source, 2);
    outgoing.say(message(3));
    expect(wire.writes.map((write) => write.map(({ length }) => length - 2))).toEqual([[1], [2, 3]]);
  });

  it('while the kernel takes nothing, nothing more is handed over', async () => {
    wire.takes = false;
    for (let n = 0; n < 50; n++) outgoing.say(message(1_000));
    await settle(1_000);
    expect(wire.writes).toHaveLength(1);
    wire.takes = true;
    wire.take();
    await settle(20);
    expect(wire.writes.flat()).toHaveLength(50);
  });

  it('R10 beyond a megabyte updates are dropped, and their sources make up for them one after another', async () => {
    wire.takes = false;
    const sources = [new Counter(3), new Counter(2)];
    for (let n = 0; n < 3_000; n++) update(sources[n % 2]!, 10_000);
    expect(outgoing.backlog).toBeLessThanOrEqual(MIB);
    expect(wire.bytes).toBeLessThan(MIB);
    expect(counts.dropped).toBeGreaterThan(2_000);
    wire.takes = true;
    wire.take();
    await settle(1_000);
    expect(sources.map(({ made }) => made)).toEqual([
      [2, 1, 0],
      [1, 0],
    ]);
    expect(counts.waitingBytes).toBe(0);
    update(sources[0]!);
    await settle(20);
    expect(wire.writes.at(-1)).toHaveLength(1);
  });

  it('R10 answers are never dropped: a reader who lets a megabyte of them wait is given up', async () => {
    wire.takes = false;
    const source = new Counter();
    update(source, 500_000);
    for (let n = 0; n < 100; n++) update(source, 5_000);
    for (let n = 0; failures.length === 0 && n < 200; n++) outgoing.say(message(10_000));
    expect(failures).toEqual([expect.objectContaining({ code: 'too-slow' })]);
    expect(source.losses).toBe(100);
    expect(outgoing.backlog).toBe(0);
    expect(counts.waitingBytes).toBe(0);
  });

  it('what is larger than a megabyte alone is sent all the same', async () => {
    outgoing.say(message(3 * MIB));
    await settle();
    expect(wire.bytes).toBeGreaterThan(3 * MIB);
    expect(failures).toEqual([]);
  });

  it('sources that catch up and what waits take turns', async () => {
    wire.takes = false;
    const slow = new Counter(5);
    for (let n = 0; n < 300; n++) update(slow, 10_000);
    for (let n = 0; n < 40; n++) outgoing.say(message(10_000), 'soon');
    for (let n = 0; n < 12; n++) {
      wire.take();
      await settle(20);
    }
    const sizes = wire.writes
      .slice(1)
      .map((write) => (write.length === 1 && write[0]!.length < 2_000 ? 'piece' : 'queue'));
    expect(sizes.slice(0, 4)).toEqual(['piece', 'queue', 'piece', 'queue']);
    expect(slow.made).toEqual([4, 3, 2, 1, 0]);
  });

  it('a source that is gone is not asked, and one that fails gives the socket up', async () => {
    wire.takes = false;
    const [gone, failing] = [new Counter(), new Counter()];
    failing.catchUp = () => Promise.reject(new Error('the copy is gone'));
    for (let n = 0; n < 300; n++) update(n % 2 === 0 ? gone : failing, 10_000);
    outgoing.forget(gone);
    wire.takes = true;
    wire.take();
    await settle(100);
    expect(gone.made).toEqual([]);
    expect(failures).toEqual([new Error('the copy is gone')]);
  });

  it('R10 closed, it holds nothing, writes nothing and leaves no timer', async () => {
    const source = new Counter();
    update(source);
    update(source);
    outgoing.close();
    outgoing.say(message(10));
    update(source);
    outgoing.owe(source);
    await settle(100);
    expect(wire.writes).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
    expect(counts.waitingBytes).toBe(0);
  });

  it.each([0, 125, 126, 65_535, 65_536, 300_000])('frames %i bytes as RFC 6455 says', (bytes) => {
    const frame = frameOf(message(bytes));
    const head = bytes < 126 ? 2 : bytes < 65_536 ? 4 : 10;
    expect(frame).toHaveLength(head + bytes);
    expect(frame[0]).toBe(0x82);
    const view = new DataView(frame.buffer, frame.byteOffset);
    const said = head === 2 ? frame[1] : head === 4 ? view.getUint16(2) : Number(view.getBigUint64(2));
    expect(said).toBe(bytes);
    expect(frameOf('é')).toEqual(Buffer.from([0x81, 2, 0xc3, 0xa9]));
  });
});
