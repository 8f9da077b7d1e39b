import type { IncomingMessage, Server } from 'node:http';
import type { Access } from '../access.ts';
import type { Config } from '../config/read.ts';
import type { Metrics } from '../metrics.ts';
import type { Tokens } from '../tokens.ts';
import type { AwarenessRooms } from './awareness.ts';
import { CollabDoor } from './collab/door.ts';
import { BadgeBoards } from './conversation/badge-boards.ts';
import { ChannelCells } from './conversation/channel-cells.ts';
import { EventsDoor } from './events/door.ts';
import type { RateLimits } from './limits.ts';
import { MemberSockets, Sockets } from './sockets.ts';
import { SyncDoor } from './sync/door.ts';
import { Turns } from './turns.ts';

type Parts = {
  config: Pick<Config, 'region'>;
  tokens: Tokens;
  access: Access;
  metrics: Metrics;
  limits: RateLimits;
  rooms: AwarenessRooms;
};

/** Whether a request is for one of them; every other one is answered as plain HTTP, whatever it wants to become. */
export const isForDoors = ({ url = '', headers }: IncomingMessage): boolean =>
  /^\/v1\/(sync\/|(collab|events)([?]|$))/.test(url) && headers.upgrade?.toLowerCase() === 'websocket';

/** The doors for WebSockets; cursors, badges, cells of channels, the counts of a member's sockets and the line of those who arrive are common to all of them. */
export function openDoors(server: Server, parts: Parts): Sockets {
  const turns = new Turns();
  parts.metrics.arrivals(turns);
  const common = {
    ...parts,
    members: new MemberSockets(),
    badges: new BadgeBoards(),
    cells: new ChannelCells(),
    turns,
  };
  const doors = [new SyncDoor(common), new CollabDoor(common), new EventsDoor(common)];
  return new Sockets(server, { metrics: parts.metrics, turns, doors });
}
