import { existsSync, readFileSync } from 'node:fs';
import { Failure } from './failure.ts';

/** One thing said, from an IRC log: `[12:18] <nick> text`. */
export type Said = {
  /** The line's number in the file, from 0: what the annotation counts. */
  line: number;
  /** Milliseconds since the log began; several lines of one minute are spread over it. */
  atMs: number;
  nick: string;
  text: string;
};

const SPOKEN = /^\[(\d\d):(\d\d)\] <([^>]+)> (.+)$/;
const DAY_MINUTES = 24 * 60;

/** Reads a log; fails when nothing in it looks like chat. */
export function readLog(path: string): Said[] {
  let lines: string[];
  try {
    lines = readFileSync(path, 'utf8').split('\n');
  } catch (cause) {
    throw new Failure(`Cannot read ${path}: ${(cause as Error).message}`, 'wrong-use', { cause });
  }
  const spoken = lines.flatMap((text, line) => {
    const [, hour, minute, nick, said] = SPOKEN.exec(text) ?? [];
    return nick === undefined || said === undefined
      ? []
      : [{ line, minute: Number(hour) * 60 + Number(minute), nick, text: said }];
  });
  if (spoken.length === 0) throw new Failure(`${path} holds no line like: [12:18] <nick> text`, 'wrong-use');
  return timed(spoken);
}

/** Gives each line a time of its own within its minute; a log may run over midnight. */
function timed(spoken: readonly { line: number; minute: number; nick: string; text: string }[]): Said[] {
  const first = spoken[0]!.minute;
  const minuteOf = ({ minute }: { minute: number }): number => (minute - first + DAY_MINUTES) % DAY_MINUTES;
  const perMinute = Map.groupBy(spoken, minuteOf);
  return spoken.map((said) => {
    const minute = minuteOf(said);
    const together = perMinute.get(minute)!;
    const atMs = Math.round((minute + together.indexOf(said) / together.length) * 60_000);
    return { line: said.line, atMs, nick: said.nick, text: said.text };
  });
}

/**
 * Which line answers which, from the annotation beside the log (`x.raw.txt` -> `x.annotation.txt`;
 * `a b -` says that b answers a). Empty where there is none.
 */
export function readAnswers(path: string): Map<number, number> {
  const annotation = path.replace(/\.raw\.txt$/, '.annotation.txt');
  if (annotation === path || !existsSync(annotation)) return new Map();
  const pairs = readFileSync(annotation, 'utf8')
    .split('\n')
    .map((line) => line.split(' ').map(Number))
    .filter(([a, b]) => Number.isInteger(a) && Number.isInteger(b) && a !== b);
  return new Map(pairs.map(([a, b]) => [Math.max(a!, b!), Math.min(a!, b!)]));
}

/** A nickname as a member id: what it may not hold becomes `_`. */
export const memberOf = (nick: string): string => nick.replaceAll(/[^A-Za-z0-9_-]/g, '_').slice(0, 64);
