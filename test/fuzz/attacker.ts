import { WebSocket } from 'ws';
import type { SeededRandom } from '../sim/seeded-random.ts';
import type { Door, Frames, Targets } from './frames.ts';
import type { Tally } from './tally.ts';

/** Frames of one socket, unless it is closed before. */
const PER_SOCKET = 40;
/** Frames that are sent in one go; the door has said no by then, or it has not. */
const AT_ONCE = 4;
/** A socket that is neither answered nor closed for so long is given up, milliseconds. */
const PATIENCE_MS = 15_000;

/** One who opens sockets at the doors of a region and sends what nobody should. */
export class Attacker {
  readonly #region: string;
  readonly #random: SeededRandom;
  readonly #frames: Frames;
  readonly #targets: Targets;
  readonly #tally: Tally;

  constructor(region: string, random: SeededRandom, frames: Frames, targets: Targets, tally: Tally) {
    this.#region = region;
    this.#random = random;
    this.#frames = frames;
    this.#targets = targets;
    this.#tally = tally;
  }

  /** One socket, from its opening to its end; at most `left` frames. Never rejects. */
  async strike(door: Exclude<Door, 'rest'>, left: number): Promise<void> {
    const socket = new WebSocket(this.#address(door), { perMessageDeflate: false });
    const closed = new Promise<void>((resolve) => {
      socket.once('close', (code) => {
        this.#tally.closed(door, code);
        resolve();
      });
    });
    socket.on('error', () => undefined);
    socket.on('message', () => this.#tally.answered(door));
    const opened = await Promise.race([
      new Promise<boolean>((resolve) => socket.once('open', () => resolve(true))),
      closed.then(() => false),
    ]);
    if (opened) await this.#send(socket, door, Math.min(left, 1 + this.#random.below(PER_SOCKET)));
    this.#leave(socket);
    const patience = this.#patience(socket, door);
    await closed;
    clearTimeout(patience);
  }

  async #send(socket: WebSocket, door: Exclude<Door, 'rest'>, count: number): Promise<void> {
    if (door === 'collab' && this.#random.chance(70)) await this.#signIn(socket);
    for (let sent = 0; sent < count;) {
      for (let n = 0; n < AT_ONCE && sent < count; n++, sent++) {
        if (socket.readyState !== WebSocket.OPEN) return;
        const { kind, data } = this.#frames.next(door);
        this.#tally.sent(door, kind);
        socket.send(data, () => undefined);
      }
      // Goes on when the socket has taken it, and the door has had its turn.
      await new Promise<void>((resolve) => {
        socket.once('close', resolve);
        socket.ping(undefined, undefined, () => undefined);
        socket.once('pong', () => {
          socket.off('close', resolve);
          resolve();
        });
      });
    }
  }

  /** Mostly waits to be let in: a bad frame right behind it ends the socket before anybody is signed in. */
  async #signIn(socket: WebSocket): Promise<void> {
    const answered = new Promise<void>((resolve) => {
      socket.once('message', () => resolve());
      socket.once('close', () => resolve());
    });
    socket.send(this.#frames.signIn(), () => undefined);
    if (!this.#random.chance(80)) return;
    const patience = this.#patience(socket, 'collab');
    await answered;
    clearTimeout(patience);
  }

  #patience(socket: WebSocket, door: Door): NodeJS.Timeout {
    return setTimeout(() => {
      this.#tally.stuck(door);
      socket.terminate();
    }, PATIENCE_MS);
  }

  /** Politely, in the middle of a word, or not at all. */
  #leave(socket: WebSocket): void {
    if (this.#random.chance(30)) socket.terminate();
    else socket.close();
  }

  #address(door: Exclude<Door, 'rest'>): string {
    const { own, foreign, token } = this.#targets;
    const base = `${this.#region.replace('http', 'ws')}/v1`;
    const shown = this.#random.chance(70) ? token : this.#random.pick(['', 'x.y.z', token.slice(1)]);
    if (door === 'collab') return `${base}/collab`;
    if (door === 'events') return `${base}/events?token=${shown}`;
    const document = this.#random.chance(80) ? own : this.#random.pick(foreign);
    return `${base}/sync/${document}?token=${shown}`;
  }
}
