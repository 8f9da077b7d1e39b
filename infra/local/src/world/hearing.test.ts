import { expect, test } from 'vitest';
import { readHearing, together } from './hearing.ts';

test('takes what fits out of what a region says of its peers', () => {
  const zones = [
    {
      zone: 'global',
      nats: 'up',
      peers: [
        { peer: 'eu-west', lagMs: 41.5, heardAt: 1_000, connected: true },
        { peer: 'ap-south', lagMs: null, connected: false },
        { lagMs: 3 },
        'nonsense',
      ],
    },
    { zone: 7, peers: [{ peer: 'eu-west' }] },
    { zone: 'eu' },
  ];
  expect(readHearing({ region: 'us-east', zones, ready: true })).toEqual({
    broker: 'up',
    peers: [
      { zone: 'global', region: 'eu-west', connected: true, lagMs: 41.5, heardAt: 1_000 },
      { zone: 'global', region: 'ap-south', connected: false },
    ],
    zones: [],
  });
});

test.each([undefined, null, 'x', {}, { zones: 3 }])('%j tells nothing', (answer) => {
  expect(readHearing(answer)).toEqual({ peers: [], zones: [] });
});

test('a broker that one zone misses is down', () => {
  expect(readHearing({ zones: [{ nats: 'up' }, { nats: 'down' }] }).broker).toBe('down');
  expect(readHearing({ zones: [{ nats: 'sideways' }] })).toEqual({ peers: [], zones: [] });
});

test('what waits is told by zone and by peer, as far as a server of any version says it', () => {
  const peers = [
    {
      peer: 'eu-west',
      connected: true,
      lagMs: 41,
      waiting: { updates: 7, bytes: 900 },
      diverged: 1,
      parked: 2,
    },
    {
      peer: 'ap-south',
      connected: true,
      waiting: { updates: 3 },
      unconfirmed: { updates: 2, bytes: 64 },
      parked: 'many',
    },
    { peer: 'eu-central', connected: true, waiting: 12 },
  ];
  const waiting = { appends: 1, publishes: 5, publishBytes: 640, oldestMs: 1_200 };
  const zones = [
    { zone: 'global', waiting, peers, parked: 4 },
    { zone: 'eu', waiting: { appends: 2, publishes: 0 } },
  ];
  expect(readHearing({ zones })).toEqual({
    peers: [
      {
        zone: 'global',
        region: 'eu-west',
        connected: true,
        lagMs: 41,
        waiting: { updates: 7, bytes: 900 },
        diverged: 1,
        parked: 2,
      },
      {
        zone: 'global',
        region: 'ap-south',
        connected: true,
        waiting: { updates: 3 },
        unconfirmed: { updates: 2, bytes: 64 },
      },
      { zone: 'global', region: 'eu-central', connected: true },
    ],
    zones: [
      { zone: 'global', appends: 1, publishes: { updates: 5, bytes: 640 }, oldestMs: 1_200, parked: 4 },
      { zone: 'eu', appends: 2, publishes: { updates: 0 } },
    ],
  });
});

test('servers of one region are heard as one: the one that reads a peer knows best, writes under way add up', () => {
  const reader = readHearing({
    zones: [
      {
        zone: 'global',
        nats: 'up',
        waiting: { appends: 1, publishes: 5, publishBytes: 640 },
        peers: [{ peer: 'eu-west', connected: true, lagMs: 41, heardAt: 900, waiting: { updates: 0 } }],
      },
    ],
  });
  const other = readHearing({
    zones: [
      {
        zone: 'global',
        nats: 'down',
        waiting: { appends: 2, publishes: 4, publishBytes: 600 },
        peers: [{ peer: 'eu-west', connected: false, lagMs: 7, heardAt: 1_000, waiting: { updates: 9 } }],
      },
    ],
  });
  const both = {
    broker: 'down',
    peers: [
      {
        zone: 'global',
        region: 'eu-west',
        connected: true,
        lagMs: 41,
        heardAt: 900,
        waiting: { updates: 0 },
      },
    ],
    zones: [{ zone: 'global', appends: 3, publishes: { updates: 5, bytes: 640 } }],
  };
  expect(together([reader, other])).toEqual(both);
  expect(together([other, reader])).toEqual(both);
  expect(together([])).toEqual({ peers: [], zones: [] });
});
