import { setTimeout as pause } from 'node:timers/promises';
import type { RegionDatabase, Summary } from './databases.ts';

const LOOK_EVERY_MS = 150;

/** `ms` after the call all regions held the same; `undefined` when they did not come to. */
export type Converged = { ms: number | undefined; states: Record<string, string> };

/** Waits until all regions hold the same under every name of the zone and nothing waits for publication. */
export async function converge(databases: readonly RegionDatabase[], withinMs: number): Promise<Converged> {
  const begun = performance.now();
  for (;;) {
    const summaries = await Promise.all(databases.map((database) => summaryOf(database)));
    const ms = performance.now() - begun;
    const states = Object.fromEntries(databases.map(({ region }, at) => [region, textOf(summaries[at]!)]));
    if (summaries.every((summary) => isSame(summary, summaries[0]!))) return { ms, states };
    if (ms > withinMs) return { ms: undefined, states };
    await pause(LOOK_EVERY_MS);
  }
}

/** A database that was killed a moment ago may not answer at first. */
const summaryOf = (database: RegionDatabase): Promise<Summary | Error> =>
  database.summary().catch((error: unknown) => error as Error);

const isSame = (one: Summary | Error, other: Summary | Error): boolean =>
  !(one instanceof Error) &&
  !(other instanceof Error) &&
  one.outbox === 0 &&
  one.names === other.names &&
  one.digest === other.digest;

const textOf = (summary: Summary | Error): string =>
  summary instanceof Error
    ? summary.message
    : `${summary.names} names, ${summary.digest.toString(16)}, outbox ${summary.outbox}`;
