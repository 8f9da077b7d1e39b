import { PassThrough } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import type { LinksRequest, WorldStatus } from '@causeway/local';
import { CausewayError } from '@causeway/protocol';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Context } from './context.ts';
import { Failure } from './failure.ts';
import { run } from './run.ts';
import type { TokenQuery, WorldClient } from './world-client.ts';

/** Keeps what was written, and is no terminal. */
class Paper extends PassThrough {
  text = '';
  override write(chunk: string): boolean {
    this.text += chunk;
    return true;
  }
}

let out: Paper;
let err: Paper;
let asked: (LinksRequest | TokenQuery)[];
let world: () => WorldClient;
let env: Record<string, string>;

afterEach(() => vi.restoreAllMocks());
beforeEach(() => {
  [out, err] = [new Paper(), new Paper()];
  asked = [];
  env = {};
  world = () => ({
    claim: { pid: 4711, born: '1', url: 'http://127.0.0.1:4100' },
    status: async () => STATUS,
    links: async (request) => {
      asked.push(request);
      return [];
    },
    token: async (query) => {
      asked.push(query);
      return 'a.b.c';
    },
    down: async () => undefined,
    runs: () => false,
  });
});

const causeway = (line: string): Promise<number> => causewayWith(...line.split(' '));
const causewayWith = (...args: string[]): Promise<number> => {
  const context: Context = {
    env,
    out: out as unknown as NodeJS.WriteStream,
    err: err as unknown as NodeJS.WriteStream,
    world: () => world(),
  };
  return run(args, context);
};

const STATUS: WorldStatus = {
  url: 'http://127.0.0.1:4100',
  home: '/home/.causeway',
  pid: 4711,
  startedAt: 0,
  regions: [
    {
      region: 'us-east',
      url: 'http://127.0.0.1:4101',
      zones: ['global'],
      ready: true,
      parts: {
        server: { state: 'ready', pid: 1, port: 4101 },
        nats: { state: 'ready', pid: 2, port: 4121 },
        postgres: { state: 'external' },
      },
      peers: [{ zone: 'global', region: 'eu-west', connected: true, lagMs: 41.4 }],
    },
    {
      region: 'eu-west',
      url: 'http://127.0.0.1:4102',
      zones: ['global', 'eu'],
      ready: false,
      parts: {
        server: { state: 'dead' },
        nats: { state: 'ready', pid: 3, port: 4122 },
        postgres: { state: 'ready', pid: 4, port: 4112 },
      },
      peers: [
        { zone: 'global', region: 'us-east', connected: false, lagMs: 45, heardAt: 1_000_000 },
        { zone: 'eu', region: 'us-east', connected: true, lagMs: 12 },
      ],
    },
  ],
  links: [
    { from: 'us-east', to: 'eu-west', delayMs: 40, cut: 'black-hole', connections: 2 },
    { from: 'eu-west', to: 'us-east', delayMs: 40, connections: 2 },
  ],
  workspaces: [],
  members: ['ada'],
};

describe('what commands ask of the world', () => {
  test.each([
    ['partition a b', { action: 'cut', a: 'a', b: 'b', mode: 'black-hole', direction: 'both' }],
    ['partition a b --reset', { action: 'cut', a: 'a', b: 'b', mode: 'reset', direction: 'both' }],
    ['partition a b --one-way', { action: 'cut', a: 'a', b: 'b', mode: 'black-hole', direction: 'there' }],
    ['slow a b 120ms', { action: 'slow', a: 'a', b: 'b', delayMs: 120 }],
    ['slow a b 120', { action: 'slow', a: 'a', b: 'b', delayMs: 120 }],
    ['slow a b 1.5s', { action: 'slow', a: 'a', b: 'b', delayMs: 1500 }],
    ['heal', { action: 'heal' }],
    ['heal a', { action: 'heal', a: 'a' }],
    ['heal a b', { action: 'heal', a: 'a', b: 'b' }],
    ['token ada', { member: 'ada', workspace: 'demo', ttlSeconds: 43_200 }],
    ['token ada --ttl 30m -w demo-eu', { member: 'ada', workspace: 'demo-eu', ttlSeconds: 1800 }],
    [
      'token ada --ttl 90 -r eu-west',
      { member: 'ada', workspace: 'demo', ttlSeconds: 90, region: 'eu-west' },
    ],
  ])('%s', async (line, request) => {
    expect(await causeway(line)).toBe(0);
    expect(asked).toEqual([request]);
    expect(err.text).toBe('');
  });

  test('a token stands alone on its line, for scripts', async () => {
    await causeway('token ada');
    expect(out.text).toBe('a.b.c\n');
  });

  test('down waits until the world is gone', async () => {
    expect(await causeway('down')).toBe(0);
    expect(out.text).toContain('is down');
  });
});

describe('what is wrong is said with what to do, without a stack trace', () => {
  test.each([
    ['nonsense', 'unknown command'],
    ['partition us-east', "missing required argument 'b'"],
    ['slow a b soon', 'Write a time like 120ms'],
    ['slow a b 99h', 'A link delays by 60s at most'],
    ['up --delay 61s', 'A link delays by 60s at most'],
    ['tail --lines banana', 'Write a whole number from 1 on'],
    ['tail --lines 0', 'Write a whole number from 1 on'],
    ['replay x --lines 1.5', 'Write a whole number from 1 on'],
    ['heal a b c', 'too many arguments'],
    ['status --fast', "unknown option '--fast'"],
  ])('%s: exit code 2', async (line, message) => {
    expect(await causeway(line)).toBe(2);
    expect(err.text).toContain(message);
    expect(err.text).toContain('--help');
    expect(err.text).not.toContain('    at ');
  });

  test('no world: exit code 1', async () => {
    world = () => {
      throw new Failure('No world runs on /home. Start one: npm start');
    };
    expect(await causeway('status')).toBe(1);
    expect(err.text).toBe('No world runs on /home. Start one: npm start\n');
  });

  test('the world refuses: exit code 2', async () => {
    world = () => {
      throw new Failure('There is no region "mars" in this world. Regions: us-east.', 'wrong-use');
    };
    expect(await causeway('partition us-east mars')).toBe(2);
    expect(err.text).toContain('Regions: us-east');
  });

  test.each([
    [['post', ''], 'the text is empty'],
    [['post', 'x'.repeat(40_001)], 'at most 40000 characters, this one has 40001'],
    [['post', 'yes', '--thread', 'zzz'], '--thread "zzz" is no id of a message'],
    [
      ['post', 'yes', '--region', 'mars'],
      'There is no region "mars" in this world. Regions: us-east, eu-west.',
    ],
  ])('%j: exit code 2, in words of a person', async (args, message) => {
    expect(await causewayWith(...args)).toBe(2);
    expect(err.text).toContain(message);
    expect(err.text).not.toContain('\n    at ');
    expect(asked).toEqual([]);
  });

  test('a region refuses: its words, exit code 1', async () => {
    world = () => {
      throw new CausewayError('not-found', 'there is no channel "nope" here');
    };
    expect(await causeway('tail --channel nope')).toBe(1);
    expect(err.text).toBe('there is no channel "nope" here\n');
  });

  test('a home that is a file: exit code 1', async () => {
    env['CAUSEWAY_HOME'] = fileURLToPath(import.meta.url);
    expect(await causeway('up')).toBe(1);
    expect(err.text).toContain('Set CAUSEWAY_HOME to a folder that you can write.\n');
    expect(err.text).not.toContain('\n    at ');
  });

  test.each([
    ['up --regions mars', {}, 'Choose from: us-east'],
    ['up', { CAUSEWAY_BASE_PORT: '80' }, 'CAUSEWAY_BASE_PORT is "80"'],
  ])('%s %o', async (line, given, message) => {
    Object.assign(env, given);
    expect(await causeway(line)).toBe(1);
    expect(err.text).toContain(message);
    expect(err.text).not.toContain('    at ');
  });
});

test.each(['up', 'status', 'partition', 'slow', 'heal', 'token', 'down'])(
  '%s --help shows an example',
  async (command) => {
    expect(await causeway(`${command} --help`)).toBe(0);
    expect(out.text).toMatch(/Examples?:\n {2}/);
  },
);

test.each([
  ['token', 'e.g. 30m or 7d (default: 12h)'],
  ['replay', 'of its lines (default: all)'],
])('%s --help shows defaults as people write them', async (command, words) => {
  await causeway(`${command} --help`);
  expect(out.text.replaceAll(/\s+/g, ' ')).toContain(words);
});

test('status shows regions and links, without colours in a pipe', async () => {
  vi.spyOn(Date, 'now').mockReturnValue(1_061_000);
  expect(await causeway('status')).toBe(0);
  expect(out.text).toBe(stripVTControlCharacters(out.text));
  expect(out.text).toBe(`Causeway at http://127.0.0.1:4100 (pid 4711)

REGION   STATE      SERVER  NATS   POSTGRES  LAG
us-east  ready      ready   ready  external  eu-west 41 ms
eu-west  not ready  dead    ready  ready     us-east silent for 61 s (cut off)

LINK               THERE             BACK
us-east - eu-west  cut (black hole)  40 ms
`);
});
