import { PassThrough } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import type { LinksRequest, PartsRequest, WorldStatus } from '@causeway/local';
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
let asked: (LinksRequest | PartsRequest | TokenQuery | { wipe: string })[];
let status: WorldStatus;
let world: () => WorldClient;
let env: Record<string, string>;

afterEach(() => vi.restoreAllMocks());
beforeEach(() => {
  [out, err] = [new Paper(), new Paper()];
  asked = [];
  env = {};
  status = structuredClone(STATUS);
  world = () => ({
    claim: { pid: 4711, born: '1', url: 'http://127.0.0.1:4100' },
    status: async () => status,
    links: async (request) => {
      asked.push(request);
      return [];
    },
    token: async (query) => {
      asked.push(query);
      return 'a.b.c';
    },
    parts: async (request) => void asked.push(request),
    wipe: async (region) => void asked.push({ wipe: region }),
    rebuild: async (region, onLine) => ['1 of 2 messages', `all messages of ${region}`].forEach(onLine),
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
      urls: ['http://127.0.0.1:4101'],
      zones: ['global'],
      ready: true,
      parts: {
        server: { state: 'ready', pid: 1, port: 4101 },
        nats: { state: 'ready', pid: 2, port: 4121 },
        postgres: { state: 'external' },
        directory: { state: 'ready', pid: 5, port: 4131, ready: false },
      },
      peers: [{ zone: 'global', region: 'eu-west', connected: true, lagMs: 41.4 }],
      waiting: [{ zone: 'global', appends: 0, publishes: { updates: 0, bytes: 0 }, oldestMs: 0 }],
    },
    {
      region: 'eu-west',
      url: 'http://127.0.0.1:4102',
      urls: ['http://127.0.0.1:4102'],
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
      waiting: [],
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
    ['kill a server-2', { action: 'kill', region: 'a', part: 'server-2' }],
    ['kill a', { action: 'kill', region: 'a' }],
    ['restart a postgres', { action: 'restart', region: 'a', part: 'postgres' }],
    ['pause a nats', { action: 'pause', region: 'a', part: 'nats' }],
    ['resume a', { action: 'resume', region: 'a' }],
    ['wipe a --yes', { wipe: 'a' }],
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

  test('a rebuild shows how it goes on, and its end', async () => {
    expect(await causeway('rebuild us-east')).toBe(0);
    expect(err.text).toBe('1 of 2 messages\nall messages of us-east\n');
    expect(out.text).toBe('The views of us-east are rebuilt.\n');
  });

  test('what was done is said with how to undo it', async () => {
    await causeway('pause us-east postgres');
    await causeway('kill us-east');
    expect(out.text).toBe(
      'postgres of us-east is paused: it answers nobody. Undo: causeway resume us-east postgres\n' +
        'us-east is dead. Undo: causeway restart us-east\n',
    );
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
    ['up --servers 5', 'A region has 4 servers at most'],
    ['up --servers two', 'Write a whole number from 1 on'],
    ['kill', "missing required argument 'region'"],
    ['status --fast', "unknown option '--fast'"],
  ])('%s: exit code 2', async (line, message) => {
    expect(await causeway(line)).toBe(2);
    expect(err.text).toContain(message);
    expect(err.text).toContain('--help');
    expect(err.text).not.toContain('    at ');
  });

  test('nothing is wiped without --yes, and what would be lost is said: exit code 2', async () => {
    expect(await causeway('wipe us-east')).toBe(2);
    expect(asked).toEqual([]);
    expect(err.text).toContain('acknowledged at level region and not yet published');
    expect(err.text).toContain('causeway wipe us-east --yes');
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

const STEER = ['partition', 'slow', 'heal', 'kill', 'restart', 'pause', 'resume', 'wipe', 'rebuild'];
test.each(['up', 'status', ...STEER, 'token', 'down'])('%s --help shows an example', async (command) => {
  expect(await causeway(`${command} --help`)).toBe(0);
  expect(out.text).toMatch(/Examples?:\n {2}/);
});

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

REGION   STATE      SERVER  NATS   POSTGRES  DIRECTORY  LAG
us-east  ready      ready   ready  external  filling    eu-west 41 ms
eu-west  not ready  dead    ready  ready     -          us-east silent for 61 s (cut off)

LINK               THERE             BACK
us-east - eu-west  cut (black hole)  40 ms
`);
});

test('status counts the servers of a region, and names those that are amiss', async () => {
  const [east, west] = status.regions;
  Object.assign(east!.parts, { 'server': { state: 'ready', ready: true }, 'server-2': { state: 'paused' } });
  const more = { 'server': { state: 'ready', ready: true }, 'server-2': { state: 'ready', ready: true } };
  Object.assign(west!.parts, more, { 'server-3': { state: 'ready', ready: false } });
  await causeway('status');
  expect(out.text).toMatch(/us-east +ready +ready 1\/2 \(server-2 paused\) +ready/);
  expect(out.text).toMatch(/eu-west +not ready +ready 2\/3 \(server-3 not ready\) +ready/);
});

test('status shows what waits, by zone and peer, where anything does', async () => {
  const [east, west] = status.regions;
  Object.assign(east!.peers[0]!, {
    waiting: { updates: 7, bytes: 3_420 },
    unconfirmed: { updates: 2 },
    diverged: 1,
  });
  Object.assign(west!.peers[0]!, { unconfirmed: { updates: 12, bytes: 640 } });
  west!.waiting = [
    { zone: 'eu', appends: 3, publishes: { updates: 5, bytes: 1_200_000 }, oldestMs: 61_000, parked: 4 },
  ];
  await causeway('status');
  expect(out.text.split('\n\n').slice(2, 4).join('\n\n')).toBe(
    `REGION   ZONE    PEER     LAG      TO COME    UNCONFIRMED  NOTE
us-east  global  eu-west  41 ms    7, 3.4 kB  2            1 diverged
eu-west  global  us-east  cut off  -          12, 640 B

REGION   ZONE  UNCOMMITTED  UNPUBLISHED  OLDEST  NOTE
eu-west  eu    3            5, 1.2 MB    61 s    4 parked`,
  );
});

test('status says nothing of a heartbeat or two that are under way', async () => {
  Object.assign(status.regions[0]!.peers[0]!, { waiting: { updates: 1 }, unconfirmed: { updates: 2 } });
  await causeway('status');
  expect(out.text).not.toContain('UNCONFIRMED');
});
