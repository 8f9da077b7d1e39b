import type { WorldRegion } from './control.ts';

/** What a region hears from its peers, by the mouths of all its servers. */
export type Hearing = {
  /** Rows that wait for the broker. */
  publishesWaiting: number;
  peers: PeerHearing[];
};
export type PeerHearing = {
  peer: string;
  connected: boolean;
  /** Age of the newest heartbeat when it arrived, milliseconds. */
  lagMs?: number;
  /** Milliseconds since the newest heartbeat arrived, by the clock of this page. */
  silentMs?: number;
};

/** A peer in two zones is heard as its worse one. `now`: milliseconds since 1970. */
export function hearingOf(region: WorldRegion, now: number): Hearing {
  const peers = new Map<string, PeerHearing>();
  for (const { region: peer, connected, lagMs, heardAt } of region.peers) {
    const heard: PeerHearing = {
      peer,
      connected,
      ...(lagMs === undefined ? {} : { lagMs }),
      ...(heardAt === undefined ? {} : { silentMs: Math.max(0, now - heardAt) }),
    };
    const known = peers.get(peer);
    if (known === undefined || (heard.silentMs ?? 0) > (known.silentMs ?? 0)) peers.set(peer, heard);
  }
  const publishesWaiting = region.waiting.reduce((sum, { publishes }) => sum + publishes.updates, 0);
  return { publishesWaiting, peers: [...peers.values()] };
}
