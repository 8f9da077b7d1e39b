import { connect, type Socket } from 'node:net';
import { Pipe } from './pipe.ts';
import type { Road } from './road.ts';

export type Target = { host: string; port: number };
export type Roads = { there: Road; back: Road };

/**
 * One connection through the simulator: a reader's socket, and the socket to its peer, which is
 * opened once a handshake over these roads would have been through.
 */
export class Connection {
  readonly #client: Socket;
  readonly #there: Pipe;
  readonly #roads: Roads;
  readonly #target: Target;
  readonly #maxWaitingBytes: number;
  readonly #gone: () => void;
  readonly #unwatch: (() => void)[];
  #peer: { socket: Socket; back: Pipe } | undefined;
  #handshake: NodeJS.Timeout | undefined;
  #ended = false;

  /** Calls `gone` when it is over, at the earliest in `start`. */
  constructor(client: Socket, target: Target, roads: Roads, maxWaitingBytes: number, gone: () => void) {
    this.#client = client;
    this.#target = target;
    this.#roads = roads;
    this.#maxWaitingBytes = maxWaitingBytes;
    this.#gone = gone;
    this.#there = new Pipe(client, roads.there, maxWaitingBytes);
    client.setNoDelay(true);
    client.on('end', () => this.#followRoads());
    client.on('close', () => {
      this.#peer?.back.close();
      if (this.#peer?.socket.destroyed ?? true) this.reset();
    });
    this.#unwatch = [roads.there, roads.back].map((road) => road.watch(() => this.#followRoads()));
  }

  start(): void {
    this.#followRoads();
  }

  get waitingBytes(): number {
    return this.#there.waitingBytes + (this.#peer?.back.waitingBytes ?? 0);
  }

  /** Tears both sockets down at once and drops what was on its way. */
  reset(): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#handshake);
    for (const unwatch of this.#unwatch) unwatch();
    this.#there.close();
    this.#peer?.back.close();
    this.#peer?.socket.resetAndDestroy();
    this.#client.resetAndDestroy();
    this.#gone();
  }

  #followRoads(): void {
    const cuts = [this.#roads.there.cutMode, this.#roads.back.cutMode];
    if (cuts.includes('reset')) return this.reset();
    if (this.#peer !== undefined || this.#ended) return;
    // SYN there, SYN-ACK back, ACK there: with either way cut there is no connection yet.
    if (cuts.includes('black-hole')) {
      clearTimeout(this.#handshake);
      this.#handshake = undefined;
      if (this.#client.readableEnded) this.reset();
    } else {
      const { there, back } = this.#roads;
      this.#handshake ??= setTimeout(() => this.#open(), 2 * there.delayMs + back.delayMs);
    }
  }

  #open(): void {
    const socket = connect({ ...this.#target, allowHalfOpen: true, noDelay: true });
    const back = new Pipe(socket, this.#roads.back, this.#maxWaitingBytes);
    this.#peer = { socket, back };
    socket.once('connect', () => this.#there.into(socket));
    socket.on('close', () => {
      this.#there.close();
      // Its last words, and how it ended, may still be on their way.
      if (this.#client.destroyed) this.reset();
    });
    back.into(this.#client);
  }
}
