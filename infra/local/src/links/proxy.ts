import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { Connection, type Roads, type Target } from './connection.ts';

/** What a reader in one region connects to instead of the broker of another. */
export type Proxy = {
  readonly port: number;
  readonly connections: number;
  /** Bytes that are on their way or held back by a cut, both directions. */
  readonly waitingBytes: number;
  close(): Promise<void>;
};

/** Listens on 127.0.0.1 at `port` (0: any); fails as `net.Server.listen` does. */
export async function startProxy(
  port: number,
  target: Target,
  roads: Roads,
  maxWaitingBytes: number,
): Promise<Proxy> {
  const connections = new Set<Connection>();
  const server = createServer({ allowHalfOpen: true }, (client: Socket) => {
    const gone = (): void => void connections.delete(connection);
    const connection = new Connection(client, target, roads, maxWaitingBytes, gone);
    connections.add(connection);
    connection.start();
  });
  await listen(server, port);
  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return connections.size;
    },
    get waitingBytes() {
      return [...connections].reduce((sum, connection) => sum + connection.waitingBytes, 0);
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const connection of connections) connection.reset();
      }),
  };
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject);
      resolve();
    });
  });
}
