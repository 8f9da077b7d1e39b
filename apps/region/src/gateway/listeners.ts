import type { FastifyInstance } from 'fastify';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/**
 * Sockets that listen at the address of a process. libuv (1.45 and later) accepts one connection from each in a
 * turn of the event loop, so that with one of them ten thousand who come at once wait for ten thousand turns.
 */
const LISTENERS = 8;
/**
 * Connections that the kernel takes for each of them while we are busy. Those beyond are left to the timers of
 * TCP, which try again after 1, 3 and 7 seconds; with many more a slow server would accept only those whose
 * client has lost its patience (10 s in the SDK) meanwhile.
 */
const BACKLOG = 512;

type Address = { host: string; port: number };

/** Listens at one address by several sockets, where the system shares a port among them; elsewhere by one. */
export class Listeners {
  readonly #more: Server[] = [];
  readonly #sockets = new Set<Socket>();

  /** Rejects as `listen` does, also when another process has the port. */
  async listen(http: FastifyInstance, { host, port }: Address): Promise<void> {
    const reusePort = process.platform === 'linux';
    // Who shares a port is not told that somebody else has it, so it is asked for alone first.
    if (reusePort && port !== 0) await isFree({ host, port });
    const options = { host, backlog: BACKLOG, reusePort };
    await http.listen({ ...options, port });
    const { port: shared } = http.server.address() as AddressInfo;
    const count = reusePort ? LISTENERS : 1;
    for (let n = 1; n < count; n++) {
      // As a server of HTTP opens its own.
      const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
        this.#sockets.add(socket);
        socket.once('close', () => this.#sockets.delete(socket));
        http.server.emit('connection', socket);
      });
      this.#more.push(server);
      server.listen({ ...options, port: shared });
      await once(server, 'listening');
    }
  }

  /** Takes no more connections; those that there are go on. */
  refuse(): void {
    for (const server of this.#more) server.close();
  }

  /** After the server of HTTP, which knows only of its own connections: waits for answers under way on the others. */
  async close(patienceMs: number): Promise<void> {
    this.refuse();
    const patience = setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy();
    }, patienceMs);
    await Promise.all([...this.#sockets].map((socket) => once(socket, 'close')));
    clearTimeout(patience);
  }
}

async function isFree(address: Address): Promise<void> {
  const server = createServer();
  server.listen(address);
  await once(server, 'listening');
  server.close();
  await once(server, 'close');
}
