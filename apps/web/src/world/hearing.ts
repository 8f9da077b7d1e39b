import type { WorldRegion } from './control.ts';

/** What a region hears from its peers, in its own words (`/readyz`). */
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

type Readiness = {
  zones: {
    waiting: { publishes: number };
    peers: { peer: string; connected: boolean; lagMs?: number; heardAt?: number }[];
  }[];
};

const PATIENCE_MS = 2_000;

/** `undefined` when the region does not answer. A peer in two zones is heard as its worse one. */
export async function hear({ url }: WorldRegion): Promise<Hearing | undefined> {
  try {
    const answer = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(PATIENCE_MS) });
    const { zones } = (await answer.json()) as Readiness;
    const peers = new Map<string, PeerHearing>();
    for (const { peer, connected, lagMs, heardAt } of zones.flatMap((zone) => zone.peers)) {
      const heard: PeerHearing = {
        peer,
        connected,
        ...(lagMs === undefined ? {} : { lagMs }),
        ...(heardAt === undefined ? {} : { silentMs: Math.max(0, Date.now() - heardAt) }),
      };
      const known = peers.get(peer);
      if (known === undefined || (heard.silentMs ?? 0) > (known.silentMs ?? 0)) peers.set(peer, heard);
    }
    const publishesWaiting = zones.reduce((sum, { waiting }) => sum + waiting.publishes, 0);
    return { publishesWaiting, peers: [...peers.values()] };
  } catch {
    return undefined;
  }
}
