import {
  DiscardPolicy,
  JetStreamApiCodes,
  JetStreamApiError,
  RetentionPolicy,
  StorageType,
  jetstream,
  jetstreamManager,
  type JetStreamManager,
} from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import {
  DIRECTORY_STREAM,
  directorySubject,
  isDirectoryRecord,
  type DirectoryRecord,
} from '@causeway/protocol';
import { BusDown, sameRecord, type Directory } from '@causeway/replica';
import { NatsLink, type BusLog, type NatsAddress } from './nats-link.ts';

export type NatsDirectoryOptions = {
  /** Stands in the name of the connection. */
  region: string;
  /** The member that this region asks: its own, or the nearest one. */
  nats: NatsAddress;
  /** Members in all: 1 or 3. */
  members: number;
  log?: BusLog;
};

/** A decision takes 84 ms on the leader's node and 170 elsewhere at 40 ms one way; ten times that is silence. */
const PATIENCE_MS = 2_000;
/** Records that are asked for at once. */
const AT_ONCE = 16;
/** Both: another one was there. Servers say the second to who lost a race. */
const MOVED = [JetStreamApiCodes.StreamWrongLastSequence, 10164];

type Held = { record: DirectoryRecord; sequence: number };

/**
 * The directory of the whole system: a key-value bucket of three members in three regions, which needs two of them
 * for every decision. Records are read from its leader and not from a copy that may be behind.
 */
export class NatsDirectory implements Directory {
  readonly #options: NatsDirectoryOptions;
  readonly #link: NatsLink;
  /** Of which connection it is known that the bucket is there. */
  #ready: { connection: NatsConnection; manager: JetStreamManager } | undefined;

  constructor(options: NatsDirectoryOptions) {
    const { region, nats, log = () => undefined } = options;
    this.#options = options;
    this.#link = new NatsLink({
      address: nats,
      name: `${region} directory`,
      inboxPrefix: `_INBOX_${region}`,
      log,
    });
  }

  async read(workspaces: readonly string[]): Promise<ReadonlyMap<string, DirectoryRecord>> {
    const records = new Map<string, DirectoryRecord>();
    for (let at = 0; at < workspaces.length; at += AT_ONCE)
      await Promise.all(
        workspaces.slice(at, at + AT_ONCE).map(async (workspace) => {
          const held = await this.#held(workspace);
          if (held !== undefined) records.set(workspace, held.record);
        }),
      );
    return records;
  }

  async compareAndSet(
    workspace: string,
    expected: DirectoryRecord | undefined,
    next: DirectoryRecord,
  ): Promise<boolean> {
    const held = await this.#held(workspace);
    const isExpected =
      held === undefined || expected === undefined ? held === expected : sameRecord(held.record, expected);
    if (!isExpected) return false;
    const { connection } = await this.#bucket();
    try {
      await jetstream(connection, { timeout: PATIENCE_MS }).publish(
        directorySubject(workspace),
        JSON.stringify(next),
        { expect: { lastSubjectSequence: held?.sequence ?? 0 }, retries: 0 },
      );
      return true;
    } catch (error) {
      if (error instanceof JetStreamApiError && MOVED.includes(error.code)) return false;
      return this.#down(connection, error);
    }
  }

  close(): Promise<void> {
    return this.#link.close();
  }

  async #held(workspace: string): Promise<Held | undefined> {
    const { connection, manager } = await this.#bucket();
    try {
      const message = await manager.streams.getMessage(DIRECTORY_STREAM, {
        last_by_subj: directorySubject(workspace),
      });
      if (message === null) return undefined;
      const record: unknown = message.json();
      if (!isDirectoryRecord(record)) throw new TypeError(`the record of ${workspace} is none`);
      return { record, sequence: message.seq };
    } catch (error) {
      if (error instanceof JetStreamApiError && error.code === JetStreamApiCodes.NoMessageFound)
        return undefined;
      return this.#down(connection, error);
    }
  }

  /** The bucket, made where it is missing. */
  async #bucket(): Promise<{ connection: NatsConnection; manager: JetStreamManager }> {
    const connection = await this.#link.connection(PATIENCE_MS);
    if (this.#ready?.connection === connection) return this.#ready;
    try {
      const manager = await jetstreamManager(connection, { checkAPI: false, timeout: PATIENCE_MS });
      // The same from whoever comes first, so that a second one finds what it wants.
      await manager.streams.add(bucketConfig(this.#options.members));
      return (this.#ready = { connection, manager });
    } catch (error) {
      return this.#down(connection, error);
    }
  }

  /** Whatever was asked, nobody knows what became of it. A connection that is silent is given up. */
  #down(connection: NatsConnection, error: unknown): never {
    const isAnswer = error instanceof JetStreamApiError;
    if (!isAnswer) this.#link.drop(connection);
    this.#ready = undefined;
    throw new BusDown(
      `the directory does not answer: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

/** As `nats kv` would make it, but for direct gets: those are answered by copies. */
const bucketConfig = (members: number) => ({
  name: DIRECTORY_STREAM,
  subjects: [directorySubject('*')],
  storage: StorageType.File,
  retention: RetentionPolicy.Limits,
  num_replicas: members,
  // The newest record of each workspace is all there is.
  max_msgs_per_subject: 1,
  discard: DiscardPolicy.New,
  max_bytes: 512 * 1024 ** 2,
  max_msg_size: 4 * 1024,
  deny_delete: true,
  allow_direct: false,
});
