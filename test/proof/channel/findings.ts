import { kilobytes, ms, perSecond } from '../../load/figures.ts';
import type { Finding } from '../finding.ts';
import type { Cost, Depth } from './depth.ts';
import type { Filled } from './fill.ts';
import type { Opening } from './opening.ts';
import { cpuOf, p50, usableOf, type Opened } from './opening-findings.ts';

export function filledFinding(messages: number, { writtenMs, restMs, commands }: Filled): Finding {
  const rate = `${number(commands)} commands in ${seconds(writtenMs)}, ${perSecond(commands, writtenMs)}`;
  return {
    what: `${number(messages)} messages written by commands`,
    value: `${rate}; projector and compactor were done ${seconds(restMs - writtenMs)} later`,
    holds: true,
  };
}

export function coldFinding({ small, large }: Opened): Finding {
  return {
    what: 'an opening whose segments are not in memory',
    value: `${took(large)}, of the small channel ${took(small)}`,
    holds: true,
  };
}

export function reactedFinding(
  before: readonly Opening[],
  after: readonly Opening[],
  times: number,
): Finding {
  return {
    what: `an opening when each of the newest 500 messages has ${times} more reactions`,
    value: `${sent(after)} of the server, against ${sent(before)}`,
    holds: true,
  };
}

export function depthFindings(small: Depth, large: Depth): Finding[] {
  return (Object.keys(large) as (keyof Depth)[]).map((what) => ({
    what: `${what} of the large channel, against the small one`,
    value: against(large[what], small[what]),
    holds: true,
  }));
}

export function unreadFinding(small: Cost, large: Cost & { unread: number }): Finding {
  return {
    what: 'the badge of who never read, counted again after a change',
    value: `${against(large, small)}; it says ${number(large.unread)}`,
    holds: true,
  };
}

const took = (openings: readonly Opening[]): string =>
  `${ms(p50(openings, cpuOf))} of CPU and ${ms(p50(openings, usableOf))}`;
const sent = (openings: readonly Opening[]): string =>
  `${kilobytes(p50(openings, ({ bytes }) => bytes))} and ${ms(p50(openings, ({ serverMs }) => serverMs))}`;
const against = (large: Cost, small: Cost): string =>
  `${ms(large.cpuMs)} against ${ms(small.cpuMs)} of CPU, answered in ${ms(large.ms)} against ${ms(small.ms)}`;
const number = (count: number): string => count.toLocaleString('en');
const seconds = (duration: number): string => `${(duration / 1_000).toFixed(0)} s`;
