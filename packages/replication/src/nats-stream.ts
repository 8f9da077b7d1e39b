import {
  DiscardPolicy,
  jetstreamManager,
  JetStreamApiCodes,
  JetStreamApiError,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
  type StreamInfo,
} from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { updateSubjects } from '@causeway/protocol';

const SECOND = 1_000_000_000;

/** The stream that a region publishes into, on its own broker; every bound has its reason. */
export const streamConfig = (name: string, region: string) =>
  ({
    name,
    subjects: [updateSubjects(region)],
    // Survives kill -9. It may lose its newest messages with the power: Postgres is the truth.
    storage: StorageType.File,
    num_replicas: 1,
    retention: RetentionPolicy.Limits,
    // A peer that was away for longer, or missed more, is repaired from state instead (R15).
    max_age: 7 * 24 * 3600 * SECOND,
    max_bytes: 1024 ** 3,
    // A full stream takes the new message: the old ones can be repaired, a refused one cannot.
    discard: DiscardPolicy.Old,
    // Longer than any doubt of a publisher that sweeps its outbox; the ids are kept in memory.
    duplicate_window: 120 * SECOND,
  }) satisfies Partial<StreamConfig>;

/** Makes the region's stream unless it is there; brings the bounds of an older one up to date. */
export async function ensureStream(
  connection: NatsConnection,
  stream: string,
  region: string,
  timeoutMs: number,
): Promise<StreamInfo> {
  const { streams } = await jetstreamManager(connection, { checkAPI: false, timeout: timeoutMs });
  const wanted = streamConfig(stream, region);
  const found = await streams.info(stream).catch((error: unknown) => {
    if (error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamNotFound)
      return undefined;
    throw error;
  });
  if (found === undefined) return streams.add(wanted);
  return isAsWanted(found.config, wanted) ? found : streams.update(stream, wanted);
}

const isAsWanted = (config: StreamConfig, wanted: ReturnType<typeof streamConfig>): boolean =>
  Object.entries(wanted).every(([key, value]) => String(config[key as keyof StreamConfig]) === String(value));
