import { expect, test } from 'vitest';
import { readHearing } from './status.ts';

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
  });
});

test.each([undefined, null, 'x', {}, { zones: 3 }])('%j tells nothing', (answer) => {
  expect(readHearing(answer)).toEqual({ peers: [] });
});

test('a broker that one zone misses is down', () => {
  expect(readHearing({ zones: [{ nats: 'up' }, { nats: 'down' }] }).broker).toBe('down');
  expect(readHearing({ zones: [{ nats: 'sideways' }] })).toEqual({ peers: [] });
});
