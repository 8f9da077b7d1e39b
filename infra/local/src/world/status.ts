import type { LinkState } from '../links/index.ts';
import type { Workspace } from './demo.ts';
import type { PartState } from './part.ts';

export const PARTS = ['server', 'nats', 'postgres'] as const;
export type PartName = (typeof PARTS)[number];

/** `external`: runs elsewhere, named by `DATABASE_URL` or `NATS_URL`; `off`: not part of this world. */
export type PartStatus = { state: PartState | 'external' | 'off'; pid?: number; port?: number };

/** How old the newest word from a peer region is. */
export type PeerStatus = { zone: string; region: string; connected: boolean; lagMs?: number };

export type RegionStatus = {
  region: string;
  url: string;
  zones: string[];
  ready: boolean;
  parts: Record<PartName, PartStatus>;
  /** Empty until the region tells. */
  peers: PeerStatus[];
};

/** What `/world/status` answers. */
export type WorldStatus = {
  url: string;
  home: string;
  pid: number;
  /** Milliseconds since 1970. */
  startedAt: number;
  regions: RegionStatus[];
  links: LinkState[];
  workspaces: Workspace[];
  members: string[];
};

const ANSWER_WITHIN_MS = 1_000;

/** What a region says of its peers at `/readyz`; nothing when it does not answer, or not like that. */
export async function peersOf(url: string): Promise<PeerStatus[]> {
  try {
    const answer = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });
    return readPeers(await answer.json());
  } catch {
    return [];
  }
}

/** Takes what fits out of a region's answer, and leaves the rest. */
export function readPeers(answer: unknown): PeerStatus[] {
  return list(field(answer, 'zones')).flatMap((zone) =>
    list(field(zone, 'peers')).flatMap((peer) => {
      const [name, region, lagMs] = [field(zone, 'zone'), field(peer, 'peer'), field(peer, 'lagMs')];
      if (typeof name !== 'string' || typeof region !== 'string') return [];
      const connected = field(peer, 'connected') === true;
      return { zone: name, region, connected, ...(typeof lagMs === 'number' ? { lagMs } : {}) };
    }),
  );
}

const field = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;

const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
