import { expect, test } from 'vitest';
import { readPosition } from './nats-position.ts';

test.each([
  ['$JS.ACK.Z_EU.peer_us.1.41.7.1700000000000000000.3', { sequence: 41, delivery: 7, pending: 3 }],
  ['$JS.ACK._.hash.Z_EU.peer_us.1.41.7.1700000000000000000.3', { sequence: 41, delivery: 7, pending: 3 }],
  [
    '$JS.ACK.eu.hash.Z_EU.peer_us.1.41.7.1700000000000000000.3.xyz',
    { sequence: 41, delivery: 7, pending: 3 },
  ],
  ['$JS.ACK.Z_EU.peer_us', undefined],
  ['_INBOX_us.abc.1', undefined],
  [undefined, undefined],
])('R15 a message tells where it stands: %s', (reply, position) => {
  expect(readPosition(reply)).toEqual(position);
});
