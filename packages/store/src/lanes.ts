import { Unavailable } from '@causeway/replica';
import type { Connection } from './connection.ts';

/** Pieces of work that may wait for a connection; beyond it they are turned away. */
const WAITING = 10_000;

/**
 * A fixed number of connections, made when needed and replaced when lost. Each does one piece of
 * work at a time, in the order of the calls.
 */
export class Lanes {
  readonly #connect: () => Promise<Connection>;
  readonly #idle: Connection[] = [];
  readonly #all = new Set<Connection>();
  readonly #waiting: (() => void)[] = [];
  #free: number;
  #closed = false;

  constructor(count: number, connect: () => Promise<Connection>) {
    this.#free = count;
    this.#connect = connect;
  }

  async run<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    await this.#turn();
    try {
      const connection = await this.#take();
      try {
        return await work(connection);
      } finally {
        if (!connection.lost.aborted) this.#idle.push(connection);
      }
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }

  /** Ends all connections; work under way fails. */
  close(): void {
    this.#closed = true;
    for (const connection of this.#all) connection.destroy();
  }

  async #turn(): Promise<void> {
    if (this.#free > 0) {
      this.#free--;
      return;
    }
    if (this.#waiting.length >= WAITING) throw new Unavailable('too much work waits for Postgres');
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  async #take(): Promise<Connection> {
    for (let held = this.#idle.pop(); held !== undefined; held = this.#idle.pop())
      if (!held.lost.aborted) return held;
    if (this.#closed) throw new Unavailable('the store is closed');
    const connection = await this.#connect();
    this.#all.add(connection);
    connection.lost.addEventListener('abort', () => this.#all.delete(connection), { once: true });
    if (this.#closed) connection.destroy();
    return connection;
  }
}
