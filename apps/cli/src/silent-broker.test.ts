import type { RegionStatus, WorldStatus } from '@causeway/local';
import { expect, test } from 'vitest';
import { silentBroker } from './silent-broker.ts';

type World = Parameters<typeof silentBroker>[0];

/** A world of one region that hears these of its broker, one at each look, and the last for ever. */
function world(state: 'external' | 'ready', ...heard: NonNullable<RegionStatus['broker']>[]) {
  const looks = { count: 0 };
  const status = async (): Promise<WorldStatus> => {
    const broker = heard[Math.min(looks.count++, heard.length - 1)];
    const region: RegionStatus = {
      region: 'ap-south',
      url: 'http://127.0.0.1:4104',
      urls: ['http://127.0.0.1:4104'],
      zones: ['global'],
      ready: true,
      parts: { server: { state: 'ready' }, nats: { state }, postgres: { state: 'ready' } },
      peers: [],
      waiting: [],
      ...(broker === undefined ? {} : { broker }),
    };
    return {
      url: 'http://127.0.0.1:4100',
      home: '/home',
      pid: 1,
      startedAt: 0,
      regions: [region],
      links: [],
      workspaces: [],
      members: [],
    };
  };
  const region = {
    region: 'ap-south',
    url: 'http://127.0.0.1:4104',
    urls: ['http://127.0.0.1:4104'],
    postgresUrl: '',
    natsUrl: 'nats://broker.example:4222',
    zones: ['global'],
    manifestFile: '',
  };
  const world: World = { regions: { 'ap-south': region }, status };
  return { world, looks };
}

const { signal } = new AbortController();

test('a broker elsewhere that stays silent is named', async () => {
  const { world: silent } = world('external', 'down');
  expect(await silentBroker(silent, { signal, patienceMs: 0 })).toBe(
    'NATS at nats://broker.example:4222 does not answer yet: writing goes on, other regions do not hear of it.',
  );
});

test.each([
  ['that answers', world('external', 'up')],
  ['that the region says nothing of', world('external')],
  ['of our own', world('ready', 'down')],
])('nothing is said, and nothing waited for, of a broker %s', async (_, { world, looks }) => {
  expect(await silentBroker(world, { signal })).toBeUndefined();
  expect(looks.count).toBe(1);
});

test('a broker may take a moment to answer', async () => {
  const { world: late, looks } = world('external', 'down', 'down', 'up');
  expect(await silentBroker(late, { signal, everyMs: 0 })).toBeUndefined();
  expect(looks.count).toBe(3);
});

test('nothing is said to somebody who has stopped the world', async () => {
  const { world: silent } = world('external', 'down');
  expect(await silentBroker(silent, { signal: AbortSignal.abort(), patienceMs: 0 })).toBeUndefined();
});
