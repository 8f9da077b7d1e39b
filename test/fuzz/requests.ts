import { Command, REQUESTS } from '@causeway/protocol';
import type { SeededRandom } from '../sim/seeded-random.ts';
import type { Targets } from './frames.ts';

const KINDS = Command.anyOf.map((schema) => schema.properties.kind.const as string);
const DOES = Object.keys(REQUESTS);
const FIELDS = [...new Set(Command.anyOf.flatMap((schema) => Object.keys(schema.properties)))];

/** A value of any sort, with a taste for the edges. */
export function anything(random: SeededRandom, depth = 0): unknown {
  switch (random.below(depth > 3 ? 7 : 10)) {
    case 0:
      return random.pick([0, -1, 1e308, 2 ** 53, 0.5, Number.MIN_VALUE]);
    case 1:
      return random.pick([
        '',
        'general',
        'demo',
        'ada',
        '../..',
        '__proto__',
        'constructor',
        '\u0000',
        '\ud800',
      ]);
    case 2:
      return 'x'.repeat(random.below(random.chance(3) ? 60_000 : 50));
    case 3:
      return null;
    case 4:
      return random.chance(50);
    case 5:
      return 'A'.repeat(22);
    case 6:
      return { toString: 1, __proto__: null, hasOwnProperty: 'x' };
    case 7:
      return Array.from({ length: random.below(5) }, () => anything(random, depth + 1));
    default:
      return Object.fromEntries(
        Array.from({ length: random.below(5) }, () => [random.pick(FIELDS), anything(random, depth + 1)]),
      );
  }
}

/** A request of the conversation: some of it right, something always wrong or out of place. */
export function requestText(random: SeededRandom, { own, token }: Targets): string {
  const what = random.chance(90) ? random.pick(DOES) : anything(random);
  const request: Record<string, unknown> = {
    do: what,
    ref: random.chance(80) ? random.below(10) : anything(random),
  };
  if (what === 'command') request['command'] = command(random);
  else if (what === 'refresh') request['token'] = random.chance(50) ? token.slice(0, -2) : anything(random);
  else
    request[random.pick(['channel', 'channels', 'members', 'on', 'idle', 'thread', own])] = anything(random);
  const text = JSON.stringify(random.chance(95) ? request : anything(random));
  return text ?? 'undefined';
}

function command(random: SeededRandom): unknown {
  const made: Record<string, unknown> = {
    kind: random.pick(KINDS),
    workspace: random.pick(['demo', 'demo-eu', 'none']),
    member: random.pick(['mallory', 'ada', 'ben']),
    nonce: 'A'.repeat(22),
    v: random.pick([0, Date.now() * 1024, Number.MAX_SAFE_INTEGER, -1]),
  };
  for (let n = random.below(5); n > 0; n--) made[random.pick(FIELDS)] = anything(random);
  return made;
}
