import type { LinkState } from '../links/index.ts';
import type { Workspace } from './demo.ts';
import type { PartState } from './part.ts';

export const PARTS = ['server', 'nats', 'postgres'] as const;
export type PartName = (typeof PARTS)[number];

/** `external`: runs elsewhere, named by `DATABASE_URL` or `NATS_URL`; `off`: not part of this world. */
export type PartStatus = { state: PartState | 'external' | 'off'; pid?: number; port?: number };

/** How old the newest word from a peer region is. */
export type PeerStatus = {
  zone: string;
  region: string;
  connected: boolean;
  lagMs?: number;
  /** When that word arrived, in milliseconds since 1970. */
  heardAt?: number;
};

/** What a region says of its own broker and of its peers. */
export type Hearing = {
  /** `down` when the broker of a zone does not answer; absent until the region tells. */
  broker?: 'up' | 'down';
  peers: PeerStatus[];
};

export type RegionStatus = {
  region: string;
  url: string;
  zones: string[];
  ready: boolean;
  parts: Record<PartName, PartStatus>;
} & Hearing;

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

/** What a region says at `/readyz`; nothing when it does not answer, or not like that. */
export async function hearingOf(url: string): Promise<Hearing> {
  try {
    const answer = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });
    return readHearing(await answer.json());
  } catch {
    return { peers: [] };
  }
}

/** Takes what fits out of a region's answer, and leaves the rest. */
export function readHearing(answer: unknown): Hearing {
  const zones = list(field(answer, 'zones'));
  const brokers = zones.map((zone) => field(zone, 'nats'));
  const broker = (['down', 'up'] as const).find((state) => brokers.includes(state));
  return {
    ...(broker === undefined ? {} : { broker }),
    peers: zones.flatMap((zone) => list(field(zone, 'peers')).flatMap((peer) => readPeer(zone, peer))),
  };
}

function readPeer(zone: unknown, peer: unknown): PeerStatus[] {
  const [name, region] = [field(zone, 'zone'), field(peer, 'peer')];
  if (typeof name !== 'string' || typeof region !== 'string') return [];
  const [lagMs, heardAt] = [field(peer, 'lagMs'), field(peer, 'heardAt')];
  const status: PeerStatus = { zone: name, region, connected: field(peer, 'connected') === true };
  if (typeof lagMs === 'number') status.lagMs = lagMs;
  if (typeof heardAt === 'number') status.heardAt = heardAt;
  return [status];
}

const field = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;

const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
