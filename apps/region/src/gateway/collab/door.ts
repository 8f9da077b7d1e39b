import type { Access } from '../../access.ts';
import type { Metrics } from '../../metrics.ts';
import type { Tokens } from '../../tokens.ts';
import type { BadgeBoards } from '../conversation/badge-boards.ts';
import type { ChannelCells } from '../conversation/channel-cells.ts';
import type { RateLimits } from '../limits.ts';
import type { Accepted, Door, MemberSockets } from '../sockets.ts';
import type { AwarenessRooms } from '../awareness.ts';
import type { Turns } from '../turns.ts';
import { CollabSession } from './session.ts';

const PATH = '/v1/collab';

export type CollabDoorParts = {
  tokens: Tokens;
  access: Access;
  metrics: Metrics;
  limits: RateLimits;
  badges: BadgeBoards;
  cells: ChannelCells;
  rooms: AwarenessRooms;
  members: MemberSockets;
  turns: Turns;
};

/** `/v1/collab`: the stock Hocuspocus provider, many documents on one socket; tokens come in messages. */
export class CollabDoor implements Door {
  readonly opensInTurn = false;
  readonly #parts: CollabDoorParts;

  constructor(parts: CollabDoorParts) {
    this.#parts = parts;
  }

  serves(path: string): boolean {
    return path === PATH;
  }

  async open({ socket, wire, admit }: Accepted): Promise<void> {
    admit(new CollabSession({ ...this.#parts, socket, wire }));
  }
}
