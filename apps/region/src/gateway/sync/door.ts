import { CausewayError, type Name } from '@causeway/protocol';
import type { Replica } from '@causeway/replica';
import type { Access } from '../../access.ts';
import type { Metrics } from '../../metrics.ts';
import type { Identity, Tokens } from '../../tokens.ts';
import { existingDocument } from '../existing-document.ts';
import type { Accepted, Door, MemberSockets } from '../sockets.ts';
import type { AwarenessRooms } from '../awareness.ts';
import { SyncSession } from './session.ts';

const PATH = '/v1/sync/';

export type SyncDoorParts = {
  tokens: Tokens;
  access: Access;
  metrics: Metrics;
  rooms: AwarenessRooms;
  members: MemberSockets;
};
type Opening = { replica: Replica; document: string; name: Name; identity: Identity };

/** `/v1/sync/<document>?token=…`: any Yjs app with the stock y-websocket provider. */
export class SyncDoor implements Door {
  readonly opensInTurn = true;
  readonly #parts: SyncDoorParts;

  constructor(parts: SyncDoorParts) {
    this.#parts = parts;
  }

  serves(path: string): boolean {
    return path.startsWith(PATH);
  }

  async open(accepted: Accepted): Promise<void> {
    const { socket, url } = accepted;
    const opening = await this.#signIn(url);
    if (socket.readyState !== socket.OPEN) return;
    const session = this.#session(accepted, opening);
    accepted.admit(session);
    // Once more, now that changes are watched: one may have come since the sign-in.
    await this.#parts.access.document(opening.identity, opening.document);
    await session.open();
  }

  async #signIn(url: URL): Promise<Opening> {
    const { tokens, access } = this.#parts;
    const identity = await tokens.verify(url.searchParams.get('token') ?? undefined);
    const { replica, name } = await access.document(identity, decode(url.pathname.slice(PATH.length)));
    return { replica, document: await existingDocument(replica, name), name, identity };
  }

  #session({ socket, wire, url }: Accepted, { replica, document, name, identity }: Opening): SyncSession {
    const { access, members, rooms, metrics } = this.#parts;
    const leave = members.enter(identity);
    const unwatch = access.watch(identity, () => {
      access.document(identity, document).catch((error: unknown) => session.fail(error));
    });
    const session = new SyncSession({
      socket,
      wire,
      replica,
      document,
      name,
      member: identity.member,
      expires: identity.expires,
      withCells: url.searchParams.get('cells') === '1',
      rooms,
      counts: metrics.outgoing,
      failed: (code) => metrics.socketFailed(code),
      closed: () => {
        unwatch();
        leave();
      },
    });
    return session;
  }
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw new CausewayError('not-found', 'the document name is not readable');
  }
}
