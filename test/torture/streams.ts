import type { WorldRegion } from '@causeway/local';
import { streamOfZone } from '@causeway/protocol';
import { jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { readFile } from 'node:fs/promises';

type Manifest = { zones: { zone: string; nats: { url: string; user: string; password: string } }[] };

/**
 * What an operator may do by mistake to the stream of a region: `purge` empties it, `delete` takes it
 * away, `remake` puts an empty one of the same name in its place, which counts from 1 again. Done with
 * the region's own credentials; rejects when its broker does not answer.
 */
export async function spoilStream(
  region: WorldRegion,
  zone: string,
  how: 'purge' | 'delete' | 'remake',
): Promise<void> {
  const { zones } = JSON.parse(await readFile(region.manifestFile, 'utf8')) as Manifest;
  const { url, user, password } = zones.find((each) => each.zone === zone)!.nats;
  const connection = await connect({ servers: url, user, pass: password, reconnect: false, timeout: 2_000 });
  try {
    await spoil(await jetstreamManager(connection, { timeout: 5_000 }), streamOfZone(zone), how);
  } finally {
    await connection.close();
  }
}

async function spoil({ streams }: JetStreamManager, stream: string, how: string): Promise<void> {
  if (how === 'purge') {
    await streams.purge(stream);
    return;
  }
  const { config } = await streams.info(stream);
  await streams.delete(stream);
  if (how === 'remake') await streams.add(config);
}
