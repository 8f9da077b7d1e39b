import { connect, createServer, type AddressInfo } from 'node:net';

/** A port before a server that counts what passes. */
export type CountingRelay = {
  url: string;
  /** Bytes of TCP payload, in both directions, of all connections so far. */
  readonly bytes: number;
  close(): Promise<void>;
};

/** Everything that passes is handed on at once. */
export async function relayTo(target: string): Promise<CountingRelay> {
  const { hostname, port } = new URL(target);
  let bytes = 0;
  const sockets = new Set<{ destroy(): unknown }>();
  const server = createServer((near) => {
    const far = connect({ host: hostname, port: Number(port) });
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.setNoDelay(true);
      from.on('data', (data: Buffer) => (bytes += data.length));
      from.pipe(to);
      // One end that breaks takes the other along; who asked is told by its own socket.
      from.on('error', () => to.destroy());
      from.once('close', () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get bytes() {
      return bytes;
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
