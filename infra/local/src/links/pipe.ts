import type { Socket } from 'node:net';
import type { Road } from './road.ts';

type Item = { due: number; what: Buffer | 'end' | 'reset' };

/** Items taken from the front before the array is moved together. */
const SHIFT_AFTER = 1024;

/**
 * One direction of one connection: what the source sends reaches the sink after the road's delay,
 * in order, each chunk by the moment it arrived, so that no delay adds up. While the road is cut
 * nothing leaves. At most `maxWaitingBytes` and one read wait here; then the source is paused and
 * feels what TCP would make it feel.
 */
export class Pipe {
  readonly #source: Socket;
  readonly #road: Road;
  readonly #maxWaitingBytes: number;
  readonly #unwatch: () => void;
  #sink: Socket | undefined;
  #sinkFull = false;
  #items: Item[] = [];
  #front = 0;
  #lastDue = 0;
  #waitingBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(source: Socket, road: Road, maxWaitingBytes: number) {
    this.#source = source;
    this.#road = road;
    this.#maxWaitingBytes = maxWaitingBytes;
    this.#unwatch = road.watch(() => this.#release());
    source.on('data', (chunk: Buffer) => this.#take(chunk));
    source.on('end', () => this.#take('end'));
    source.on('error', () => this.#take('reset'));
  }

  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Where to; until it is known, everything waits. */
  into(sink: Socket): void {
    this.#sink = sink;
    sink.on('drain', () => {
      this.#sinkFull = false;
      this.#release();
    });
    this.#release();
  }

  /** Drops what waits. */
  close(): void {
    this.#closed = true;
    this.#unwatch();
    clearTimeout(this.#timer);
    this.#items = [];
    this.#front = 0;
    this.#waitingBytes = 0;
  }

  #take(what: Item['what']): void {
    if (this.#closed) return;
    const bytes = typeof what === 'string' ? 0 : what.length;
    // A road that became faster lets nothing overtake.
    this.#lastDue = Math.max(this.#lastDue, this.#road.arrival(bytes, performance.now()));
    this.#items.push({ due: this.#lastDue, what });
    this.#waitingBytes += bytes;
    if (this.#waitingBytes >= this.#maxWaitingBytes) this.#source.pause();
    this.#release();
  }

  #release(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    while (!this.#closed && this.#sink !== undefined && !this.#sinkFull) {
      const item = this.#items[this.#front];
      if (item === undefined || this.#road.cutMode !== undefined) return;
      const waitMs = this.#road.notBefore(item.due) - performance.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.#release(), Math.ceil(waitMs));
        return;
      }
      this.#shift();
      this.#give(item.what, this.#sink);
    }
  }

  #shift(): void {
    this.#front += 1;
    if (this.#front < this.#items.length && this.#front < SHIFT_AFTER) return;
    this.#items = this.#items.slice(this.#front);
    this.#front = 0;
  }

  #give(what: Item['what'], sink: Socket): void {
    if (what === 'end') sink.end();
    else if (what === 'reset') sink.resetAndDestroy();
    else {
      this.#sinkFull = !sink.write(what);
      this.#waitingBytes -= what.length;
      if (this.#source.isPaused() && this.#waitingBytes < this.#maxWaitingBytes) this.#source.resume();
    }
  }
}
