import type { LinkState } from '../links/index.ts';
import type { Workspace } from './demo.ts';
import type { PartState } from './part.ts';

/** The server processes that a region can have; the first is always meant to be there. */
export const SERVERS = ['server', 'server-2', 'server-3', 'server-4'] as const;
export type ServerName = (typeof SERVERS)[number];
export type PartName = ServerName | 'nats' | 'postgres' | 'directory';

/** `external`: runs elsewhere, named by `DATABASE_URL` or `NATS_URL`; `off`: not part of this world. */
export type PartStatus = {
  state: PartState | 'external' | 'off';
  pid?: number;
  port?: number;
  /**
   * Whether it says so itself: a server that runs is not ready while it misses its Postgres, a member of the directory
   * while it lacks what the others have.
   */
  ready?: boolean;
};

/** What waits on its way from one place to another. */
export type Waiting = { updates: number; bytes?: number };

/** How old the newest word from a peer region is. */
export type PeerStatus = {
  zone: string;
  region: string;
  connected: boolean;
  lagMs?: number;
  /** When that word arrived, in milliseconds since 1970. */
  heardAt?: number;
  /** What waits to come here from the peer. */
  waiting?: Waiting;
  /** What the peer has not confirmed to have stored of what was published here. */
  unconfirmed?: Waiting;
  /** Documents that the two hold differently though both have everything. */
  diverged?: number;
  /** Messages of it that are kept unread. */
  parked?: number;
};

/** What a region holds back of one zone. */
export type ZoneStatus = {
  zone: string;
  /** Writes that wait for the database. */
  appends: number;
  /** Committed, not yet with the region's own broker. */
  publishes: Waiting;
  /** Age of the oldest of these, in milliseconds. */
  oldestMs?: number;
  diverged?: number;
  parked?: number;
};

/** What a region says of its own broker and of its peers. */
export type Hearing = {
  /** `down` when the broker of a zone does not answer; absent until the region tells. */
  broker?: 'up' | 'down';
  peers: PeerStatus[];
  zones: ZoneStatus[];
};

export type RegionStatus = {
  region: string;
  /** Of its first server. */
  url: string;
  /** Of all its servers, in their order. */
  urls: string[];
  zones: string[];
  /** Whether a server of it says so. */
  ready: boolean;
  /** Servers beyond the first, and a member of the directory, are there in worlds and regions that have them. */
  parts: Record<'server' | 'nats' | 'postgres', PartStatus> & { [part in PartName]?: PartStatus };
  broker?: 'up' | 'down';
  peers: PeerStatus[];
  /** By zone, as far as the region tells. */
  waiting: ZoneStatus[];
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
