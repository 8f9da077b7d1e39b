import { Doubtful } from '@causeway/replica';
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Connection } from './connection.ts';

/** How often the holder of a role asks whether its session lives, and how long it waits for the answer. */
const CHECK = { everyMs: 2_000, patienceMs: 3_000 } as const;

/**
 * Of the session that holds a role. Postgres ends it, and so frees the role, when the holder has
 * not asked for three rounds: a process that is paused (SIGSTOP) keeps its sockets open.
 */
export const SETTINGS = { idle_session_timeout: '6s' } as const;

/**
 * Does anybody hold the role now? Asked before a session is opened for it: those who stand by ask
 * twice a second, and a session is a process of Postgres.
 */
export async function isHeld(connection: Connection, zone: string, name: string): Promise<boolean> {
  const [row] = await connection.query(HELD, [lockOf(`${zone}/${name}`)]);
  return row!['held'] === true;
}

/** How pg_locks shows a lock of 64 bits: its halves. */
const HELD = `
  select exists (
    select from pg_locks
    where locktype = 'advisory' and granted and objsubid = 1
      and database = (select oid from pg_database where datname = current_database())
      and (classid::bigint << 32) | objid::bigint = $1::bigint) as held`;

/**
 * Runs `work` while this session holds the advisory lock of `role`; its signal fires when the
 * session ends, at the latest 5 s after Postgres stops answering. Ends the session in any case.
 */
export async function lead(
  connection: Connection,
  role: string,
  work: (signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const done = new AbortController();
  try {
    const [row] = await connection.query('select pg_try_advisory_lock($1::bigint) as held', [lockOf(role)]);
    if (row!['held'] !== true || signal.aborted) return;
    void watch(connection, done.signal);
    await work(AbortSignal.any([connection.lost, signal]));
  } finally {
    done.abort();
    connection.destroy();
  }
}

/** A link that swallows everything closes no socket: only an answer proves that the lock is still ours. */
async function watch(connection: Connection, done: AbortSignal): Promise<void> {
  while (!connection.lost.aborted && !done.aborted) {
    try {
      await sleep(CHECK.everyMs, undefined, { signal: AbortSignal.any([done, connection.lost]), ref: false });
      await connection.query('select 1', [], CHECK.patienceMs);
    } catch (error) {
      if (error instanceof Doubtful) connection.destroy();
      else if (error instanceof Error && error.name === 'AbortError') return;
    }
  }
}

/** 64 bits of a hash, as Postgres takes them: signed. */
const lockOf = (role: string): string =>
  createHash('sha256').update(`causeway/role/${role}`).digest().readBigInt64BE().toString();
