import { expect, test } from 'vitest';
import { readPeers } from './status.ts';

test('takes what fits out of what a region says of its peers', () => {
  const zones = [
    {
      zone: 'global',
      peers: [
        { peer: 'eu-west', lagMs: 41.5, connected: true },
        { peer: 'ap-south', lagMs: null, connected: false },
        { lagMs: 3 },
        'nonsense',
      ],
    },
    { zone: 7, peers: [{ peer: 'eu-west' }] },
    { zone: 'eu' },
  ];
  expect(readPeers({ region: 'us-east', zones, ready: true })).toEqual([
    { zone: 'global', region: 'eu-west', connected: true, lagMs: 41.5 },
    { zone: 'global', region: 'ap-south', connected: false },
  ]);
});

test.each([undefined, null, 'x', {}, { zones: 3 }])('%j tells nothing', (answer) => {
  expect(readPeers(answer)).toEqual([]);
});
