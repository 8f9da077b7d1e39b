import type { PeerStatus, RegionStatus, ZoneStatus } from '@causeway/local';
import type { Paint } from './paint.ts';
import { bytes, milliseconds } from './quantities.ts';
import { table } from './table.ts';

/** Tables of what waits in these regions, for peers and in themselves; none where nothing does. */
export function waitingViews(regions: readonly RegionStatus[], paint: Paint): string[] {
  const head = (...titles: string[]): string[] => titles.map((title) => paint('dim', title));
  const peers = regions.flatMap(({ region, peers }) =>
    peers.filter(needsWords).map((peer) => [region, ...peerCells(peer, paint)]),
  );
  const zones = regions.flatMap(({ region, waiting }) =>
    waiting.filter(holdsBack).map((zone) => [region, ...zoneCells(zone, paint)]),
  );
  return [
    ...(peers.length === 0
      ? []
      : [table([head('REGION', 'ZONE', 'PEER', 'LAG', 'TO COME', 'UNCONFIRMED', 'NOTE'), ...peers])]),
    ...(zones.length === 0
      ? []
      : [table([head('REGION', 'ZONE', 'UNCOMMITTED', 'UNPUBLISHED', 'OLDEST', 'NOTE'), ...zones])]),
  ];
}

/** On a pipe that stands, heartbeats are always under way and count as updates. */
const UNDER_WAY = 2;

const needsWords = ({ connected, waiting, unconfirmed, diverged = 0, parked = 0 }: PeerStatus): boolean =>
  Math.max(waiting?.updates ?? 0, unconfirmed?.updates ?? 0) > (connected ? UNDER_WAY : 0) ||
  diverged + parked > 0;

const holdsBack = ({ appends, publishes, diverged, parked }: ZoneStatus): boolean =>
  [appends, publishes.updates, diverged, parked].some((count = 0) => count > 0);

const peerCells = (peer: PeerStatus, paint: Paint): string[] => [
  peer.zone,
  peer.region,
  peer.connected ? (peer.lagMs === undefined ? '?' : milliseconds(peer.lagMs)) : paint('yellow', 'cut off'),
  amount(peer.waiting),
  amount(peer.unconfirmed),
  note(peer, paint),
];

const zoneCells = (zone: ZoneStatus, paint: Paint): string[] => [
  zone.zone,
  zone.appends === 0 ? '-' : String(zone.appends),
  amount(zone.publishes),
  zone.publishes.updates === 0 || zone.oldestMs === undefined ? '-' : milliseconds(zone.oldestMs),
  note(zone, paint),
];

/** `12, 3.4 kB`. */
const amount = (waiting: PeerStatus['waiting']): string =>
  waiting === undefined || waiting.updates === 0
    ? '-'
    : [String(waiting.updates), ...(waiting.bytes === undefined ? [] : [bytes(waiting.bytes)])].join(', ');

const note = ({ diverged = 0, parked = 0 }: { diverged?: number; parked?: number }, paint: Paint): string =>
  [
    ...(diverged === 0 ? [] : [paint('red', `${diverged} diverged`)]),
    ...(parked === 0 ? [] : [paint('yellow', `${parked} parked`)]),
  ].join(', ');
