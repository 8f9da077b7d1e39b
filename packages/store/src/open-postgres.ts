import { Unavailable } from '@causeway/replica';
import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from './connection.ts';
import { UnfitDatabase } from './faults.ts';
import { Lanes } from './lanes.ts';
import { migrate } from './migrations.ts';
import { PostgresStore, type Connect } from './postgres-store.ts';

export type PostgresOptions = {
  region: string;
  /** An answer that takes longer makes a commit doubtful; 5,000 ms unless told. */
  answerTimeoutMs?: number;
  /** How long to try to connect; 10,000 ms unless told. */
  connectForMs?: number;
};

/** One region's database: a store per zone over shared query connections. */
export type Database = {
  /** The same store for the same zone. */
  zone(zone: string): PostgresStore;
  /** Does it answer within a second? Never rejects. */
  healthy(): Promise<boolean>;
  /** Ends all sessions; work under way fails. */
  close(): Promise<void>;
};

const QUERY_LANES = 4;
/**
 * Every query of ours goes by a key. A plan made while a table was nearly empty would scan it for
 * ever after (measured: 19 ms instead of 1 ms for 27 messages among 40,000). It does not keep such
 * a plan from joining: statements that look up many keys say `lateral … limit 1`, which is planned
 * as one look-up per key whatever the table holds.
 */
const QUERY_SETTINGS = { enable_seqscan: 'off' };
/**
 * What is read by pages is read in the order of an index, never sorted: while a table has no statistics yet,
 * reading a whole channel and sorting it looks as cheap (measured: 13 ms instead of 0.1 ms for a page of 5,000
 * messages, and in proportion).
 */
const ORDERED_LANES = 2;
const ORDERED_SETTINGS = { ...QUERY_SETTINGS, enable_sort: 'off' };
const HEALTHY_MS = 1_000;

/**
 * Connects, makes sure that what Postgres acknowledges is durable, and brings the tables up to
 * date. Rejects with UnfitDatabase when it must not be used (its `reason` says why), with
 * Unavailable when it cannot be reached for `connectForMs`.
 */
export async function openPostgres(url: string, options: PostgresOptions): Promise<Database> {
  const { region, answerTimeoutMs = 5_000, connectForMs = 10_000 } = options;
  let attempt = 0;
  const connect: Connect = (purpose, settings = {}) =>
    Connection.open({ url, name: `causeway ${region} ${purpose}`, answerTimeoutMs, settings }, attempt++);
  const first = await persistently(() => connect('migrate'), connectForMs);
  try {
    await migrate(first);
  } finally {
    first.destroy();
  }
  return database(connect);
}

async function persistently(open: () => Promise<Connection>, forMs: number): Promise<Connection> {
  const until = performance.now() + forMs;
  for (let pause = 20; ; pause = Math.min(pause * 2, 500)) {
    try {
      return await open();
    } catch (error) {
      const hopeless = error instanceof UnfitDatabase || !(error instanceof Unavailable);
      if (hopeless || performance.now() + pause > until) throw error;
      await sleep(pause);
    }
  }
}

function database(connect: Connect): Database {
  const queries = new Lanes(QUERY_LANES, () => connect('query', QUERY_SETTINGS));
  const ordered = new Lanes(ORDERED_LANES, () => connect('page', ORDERED_SETTINGS));
  // Of its own, because a database that is merely busy is healthy.
  const health = new Lanes(1, () => connect('health'));
  const zones = new Map<string, PostgresStore>();
  return {
    zone: (zone) => {
      const store = zones.get(zone) ?? new PostgresStore(zone, { queries, ordered }, connect);
      zones.set(zone, store);
      return store;
    },
    healthy: async () => {
      const answer = health
        .run((connection) => connection.query('select 1', [], HEALTHY_MS))
        .then(
          () => true,
          () => false,
        );
      const overdue = new AbortController();
      try {
        return await Promise.race([
          answer,
          sleep(HEALTHY_MS, false, { signal: overdue.signal }).catch(() => false),
        ]);
      } finally {
        overdue.abort();
      }
    },
    close: async () => {
      await Promise.all([...zones.values()].map((store) => store.close()));
      queries.close();
      ordered.close();
      health.close();
    },
  };
}
