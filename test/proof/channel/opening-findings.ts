import { kilobytes, median, ms, percentile } from '../../load/figures.ts';
import type { Finding } from '../finding.ts';
import type { Opening } from './opening.ts';

export type Opened = { small: Opening[]; large: Opening[] };

/** What the opening of a channel may cost. */
const BOUND = { ratio: 1.2, bytes: 60_000, serverMs: 5 } as const;
/** In place of its milliseconds where a part is measured, as CI does: on cores that others share. */
const SHARED_MS = 10;

/** CPU of everything that serves an opening. */
export const cpuOf = ({ serverMs, postgresMs }: Opening): number => serverMs + postgresMs;
export const usableOf = ({ usableMs }: Opening): number => usableMs;
export const p50 = (openings: readonly Opening[], of: (opening: Opening) => number): number =>
  median(openings.map(of));

const ratioOf = ({ small, large }: Opened, of: (opening: Opening) => number): number =>
  p50(large, of) / p50(small, of);

/** Do both ratios hold? */
export const isSteady = (opened: Opened): boolean =>
  [cpuOf, usableOf].every((of) => ratioOf(opened, of) <= BOUND.ratio);

/** The bounds of this proof; `isWhole`: the run that its figures are for. */
export function openingFindings(opened: Opened, isWhole: boolean): Finding[] {
  return [
    ratioFinding('CPU of server and database for one opening', opened, cpuOf),
    ratioFinding('time until it can be used', opened, usableOf),
    serverFinding(opened, isWhole ? BOUND.serverMs : SHARED_MS),
    bytesFinding(opened),
  ];
}

function ratioFinding(what: string, opened: Opened, of: (opening: Opening) => number): Finding {
  const ratio = ratioOf(opened, of);
  const { small, large } = opened;
  return {
    what: `${what}, p50 of ${large.length} openings, the large channel against the small one`,
    value: `${ms(p50(large, of))} against ${ms(p50(small, of))}: ${ratio.toFixed(2)} times (at most ${BOUND.ratio})`,
    holds: ratio <= BOUND.ratio,
  };
}

function serverFinding({ small, large }: Opened, most: number): Finding {
  const used = [...small, ...large].map(({ serverMs }) => serverMs);
  const [half, nearlyAll] = [median(used), percentile(used, 0.9)];
  const database = p50([...small, ...large], ({ postgresMs }) => postgresMs);
  return {
    what: 'server time of an opening, p50: CPU of the server process, all its threads',
    value: `${ms(half)} (at most ${most} ms), p90 ${ms(nearlyAll)}; besides, of its database sessions ${ms(database)}`,
    holds: half <= most,
  };
}

function bytesFinding({ small, large }: Opened): Finding {
  const most = Math.max(...[...small, ...large].map(({ bytes }) => bytes));
  const [one, other] = [small, large].map((openings) => kilobytes(p50(openings, ({ bytes }) => bytes)));
  return {
    what: 'bytes on the wire, both directions, most of all openings',
    value: `${kilobytes(most)} (at most ${kilobytes(BOUND.bytes)}); p50 ${other}, of the small channel ${one}`,
    holds: most <= BOUND.bytes,
  };
}
