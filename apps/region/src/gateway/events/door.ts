import { CausewayError } from '@causeway/protocol';
import type { FeedCursor } from '@causeway/replica';
import type { Access, Opened } from '../../access.ts';
import type { Config } from '../../config/read.ts';
import type { Metrics } from '../../metrics.ts';
import type { Identity, Tokens } from '../../tokens.ts';
import type { BadgeBoards } from '../conversation/badge-boards.ts';
import type { ChannelCells } from '../conversation/channel-cells.ts';
import type { RateLimits } from '../limits.ts';
import type { Accepted, Door, MemberSockets } from '../sockets.ts';
import type { Turns } from '../turns.ts';
import { decodeCursor } from './cursor.ts';
import { EventsSession } from './session.ts';

const PATH = '/v1/events';
/** Channels in the address; others are subscribed to by requests. */
const CHANNELS = 100;

export type EventsDoorParts = {
  config: Pick<Config, 'region'>;
  tokens: Tokens;
  access: Access;
  metrics: Metrics;
  limits: RateLimits;
  badges: BadgeBoards;
  cells: ChannelCells;
  members: MemberSockets;
  turns: Turns;
};
type Opening = {
  identity: Identity;
  opened: Opened;
  cursor: FeedCursor | undefined;
  channels: string[];
};

/** `/v1/events?token=…[&cursor=…][&channels=a,b]`: JSON in text frames, for bots and clients in any language. */
export class EventsDoor implements Door {
  readonly opensInTurn = true;
  readonly #parts: EventsDoorParts;

  constructor(parts: EventsDoorParts) {
    this.#parts = parts;
  }

  serves(path: string): boolean {
    return path === PATH;
  }

  async open(accepted: Accepted): Promise<void> {
    const { access } = this.#parts;
    const opening = await this.#signIn(accepted.url);
    if (accepted.socket.readyState !== accepted.socket.OPEN) return;
    const session = this.#session(accepted, opening);
    accepted.admit(session);
    // Once more, now that changes are watched: one may have come since the sign-in.
    await access.workspace(opening.identity, opening.identity.workspace);
    await session.open();
  }

  async #signIn({ searchParams: query }: URL): Promise<Opening> {
    const { tokens, access } = this.#parts;
    const identity = await tokens.verify(query.get('token') ?? undefined);
    const opened = await access.workspace(identity, identity.workspace);
    const cursor = query.get('cursor') ?? '';
    const channels = (query.get('channels') ?? '').split(',').filter((name) => name !== '');
    if (channels.length > CHANNELS)
      throw new CausewayError('invalid-request', `at most ${CHANNELS} channels stand in the address`);
    return { identity, opened, cursor: cursor === '' ? undefined : decodeCursor(cursor), channels };
  }

  #session({ socket, wire }: Accepted, opening: Opening): EventsSession {
    const { members, config, ...parts } = this.#parts;
    const leave = members.enter(opening.identity);
    return new EventsSession({
      ...parts,
      ...opening,
      socket,
      wire,
      region: config.region,
      failed: (code) => parts.metrics.socketFailed(code),
      closed: leave,
    });
  }
}
