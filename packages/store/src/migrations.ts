import type { Connection } from './connection.ts';
import { STEP_1 } from './step-1.sql.ts';
import { STEP_2 } from './step-2.sql.ts';
import { STEP_3 } from './step-3.sql.ts';
import { STEP_4 } from './step-4.sql.ts';
import { STEP_5 } from './step-5.sql.ts';
import { STEP_6 } from './step-6.sql.ts';
import { STEP_7 } from './step-7.sql.ts';
import { STEP_8 } from './step-8.sql.ts';
import { STEP_9 } from './step-9.sql.ts';

/**
 * The tables, as numbered steps that only go forward. A step that has been released is never
 * changed. During a roll-out the version before runs on the tables of the version after, so a
 * step only adds: tables, columns with defaults, indexes. What is no longer used is dropped a
 * release later.
 *
 * Everything that compares as text is COLLATE "C": by UTF-8 bytes, as compareText does.
 */
export const STEPS: readonly string[] = [
  STEP_1,
  STEP_2,
  STEP_3,
  STEP_4,
  STEP_5,
  STEP_6,
  STEP_7,
  STEP_8,
  STEP_9,
];

/** "causeway", as a number: the advisory lock of migrations. */
const LOCK = '7161962283946832997';
/** A step may rewrite a table. */
const STEP_TIMEOUT_MS = 10 * 60_000;

/** Brings the tables up to this version, one process at a time; leaves those of a newer version alone. */
export async function migrate(connection: Connection): Promise<void> {
  if ((await appliedSteps(connection)) >= STEPS.length) return;
  await connection.transaction(async () => {
    await run(connection, 'set local statement_timeout = 0');
    await run(connection, 'set local lock_timeout = 0');
    await run(connection, `select pg_advisory_xact_lock(${LOCK})`);
    await run(connection, 'create schema if not exists causeway');
    await run(
      connection,
      'create table if not exists causeway.migrations (step int primary key, at timestamptz not null default now())',
    );
    for (let step = await appliedSteps(connection); step < STEPS.length; step++) {
      await run(connection, STEPS[step]!);
      await connection.query('insert into causeway.migrations (step) values ($1)', [String(step + 1)]);
    }
  });
}

const run = (connection: Connection, text: string): Promise<unknown> =>
  connection.query(text, [], STEP_TIMEOUT_MS);

async function appliedSteps(connection: Connection): Promise<number> {
  const [found] = await connection.query(`select to_regclass('causeway.migrations') is not null as there`);
  if (found!['there'] !== true) return 0;
  const [row] = await connection.query('select coalesce(max(step), 0) as step from causeway.migrations');
  return Number(row!['step']);
}
