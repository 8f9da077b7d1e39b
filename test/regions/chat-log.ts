import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Real data beside the repository; absent in most checkouts. */
const DATA = fileURLToPath(new URL('../../../shared/data/', import.meta.url));
export const LOGS = `${DATA}irc`;
export const TRACE = `${DATA}traces/friendsforever.json.gz`;

export type Line = { speaker: string; body: string };

const SPOKEN = /^\[\d\d:\d\d\] <([^>]+)> (.*)$/;

/** `count` lines of the real #ubuntu log, or made-up ones of the same lengths where it is absent. */
export function chatLines(count: number): { lines: Line[]; real: boolean } {
  if (!existsSync(LOGS)) return { lines: Array.from({ length: count }, (_, at) => madeUp(at)), real: false };
  const lines = readdirSync(LOGS)
    .filter((file) => file.endsWith('.raw.txt'))
    .sort()
    .flatMap((file) => readFileSync(`${LOGS}/${file}`, 'utf8').split('\n'))
    .map((text) => SPOKEN.exec(text))
    .filter((match) => match !== null && match[2] !== '')
    .slice(0, count)
    .map((match) => ({ speaker: memberOf(match![1]!), body: match![2]! }));
  return { lines, real: true };
}

/** A nickname as a member id. */
export const memberOf = (nick: string): string => nick.replaceAll(/[^A-Za-z0-9_-]/g, '_').slice(0, 64);

const madeUp = (at: number): Line => ({
  speaker: `speaker${at % 40}`,
  body: `line ${at} `.padEnd(20 + ((at * 37) % 90), 'lorem ipsum '),
});
