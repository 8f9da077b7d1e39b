import { CausewayError, LIMITS } from '@causeway/protocol';
import type { WebSocket } from 'ws';
import { Bucket } from '../rate-limit.ts';

/** What one socket may send: frames and bytes, on average a second and at once. */
const FRAMES = { perSecond: 2_000, burst: 40_000 } as const;
const BYTES = { perSecond: 2 * 1024 * 1024, burst: 32 * 1024 * 1024 } as const;
/** Frames taken from a socket that are not done yet, and their bytes; beyond it we stop reading it. */
const HELD = { frames: 256, bytes: 2 * 1024 * 1024 } as const;
/** Beats without a sign of life after which a client is given up. */
const SILENT_BEATS = 2;

export type IncomingParts = {
  socket: WebSocket;
  /** Which frames the door takes. */
  frames: 'binary' | 'text';
  /** A frame within the bounds. What it throws fails the socket. */
  take(data: Buffer): void;
  failed(cause: unknown): void;
};

/** What comes in through one socket, whatever its door: within size and rate, and no more at once than is worked off. */
export class Incoming {
  readonly #parts: IncomingParts;
  readonly #frames = new Bucket(FRAMES.perSecond, FRAMES.burst, Date.now());
  readonly #bytes = new Bucket(BYTES.perSecond, BYTES.burst, Date.now());
  #heldFrames = 0;
  #heldBytes = 0;
  #silentBeats = 0;
  #isOver = false;

  constructor(parts: IncomingParts) {
    this.#parts = parts;
    const { socket } = parts;
    socket.on('message', (data: Buffer, isBinary: boolean) => this.#receive(data, isBinary));
    socket.on('pong', () => (this.#silentBeats = 0));
  }

  /** A frame of so many bytes is not done yet; call what is returned when it is. */
  hold(bytes: number): () => void {
    this.#heldFrames++;
    this.#heldBytes += bytes;
    this.#brake();
    return () => {
      this.#heldFrames--;
      this.#heldBytes -= bytes;
      this.#brake();
    };
  }

  /** Asks for a sign of life; gives up a client that has given none since two beats. */
  beat(): void {
    const { socket } = this.#parts;
    // Nothing is heard of a socket that we do not read.
    if (socket.isPaused) this.#silentBeats = 0;
    if (this.#silentBeats++ >= SILENT_BEATS) socket.terminate();
    else socket.ping();
  }

  /** Frames that a socket still held when it closed come even though it is paused: they are nobody's. */
  close(): void {
    this.#isOver = true;
  }

  #brake(): void {
    const { socket } = this.#parts;
    const isFull = this.#heldFrames > HELD.frames || this.#heldBytes > HELD.bytes;
    if (isFull !== socket.isPaused)
      if (isFull) socket.pause();
      else socket.resume();
  }

  #receive(data: Buffer, isBinary: boolean): void {
    if (this.#isOver) return;
    this.#silentBeats = 0;
    try {
      this.#check(data, isBinary);
      this.#parts.take(data);
    } catch (error) {
      this.#parts.failed(error);
    }
  }

  #check(data: Buffer, isBinary: boolean): void {
    const { frames } = this.#parts;
    if (isBinary !== (frames === 'binary'))
      throw new CausewayError('malformed-frame', `frames of this door are ${frames}`);
    if (data.length > LIMITS.frameBytes)
      throw new CausewayError('frame-too-large', `a frame holds at most ${LIMITS.frameBytes} bytes`);
    const now = Date.now();
    for (const [bucket, amount] of [[this.#frames, 1] as const, [this.#bytes, data.length] as const])
      if (!bucket.take(amount, now)) {
        const retryAfter = Math.max(1, bucket.wait(amount));
        throw new CausewayError('rate-limited', `too much at once; connect again in ${retryAfter} s`, {
          retryAfter,
        });
      }
  }
}
