import {
  CausewayError,
  LIMITS,
  canvasName,
  canvasesScope,
  channelScope,
  segmentName,
  type Name,
} from '@causeway/protocol';
import { highestTop } from '@causeway/replica';
import type { Replica } from '@causeway/replica';
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type WebSocket } from 'ws';
import type { Access } from '../../access.ts';
import type { Metrics } from '../../metrics.ts';
import type { Identity, Tokens } from '../../tokens.ts';
import { asCausewayError } from '../problems.ts';
import type { AwarenessRooms } from '../awareness.ts';
import { closeWith } from './closing.ts';
import { SyncSession } from './session.ts';

const PATH = '/v1/sync/';
/** Open sockets of one process, and those of one member among them. */
const SOCKETS = 20_000;
const SOCKETS_PER_MEMBER = 2_000;
/** Time for the sign-in and the load of a document before the socket is given up, milliseconds. */
const OPENING_MS = 10_000;
/** Time for the other end to answer a close, milliseconds; less for those who were never let in. */
const CLOSING_MS = 10_000;
const REFUSING_MS = 2_000;
const STOPPING_MS = 1_000;
/** See `SyncSession.beat`. */
const BEAT_MS = 10_000;

type Parts = { tokens: Tokens; access: Access; metrics: Metrics; rooms: AwarenessRooms };
type Opening = { replica: Replica; document: string; name: Name; identity: Identity };

/** Whether a request is for this door; every other one is answered as plain HTTP, whatever it wants to become. */
export const isForSyncDoor = ({ url = '', headers }: IncomingMessage): boolean =>
  url.startsWith(PATH) && headers.upgrade?.toLowerCase() === 'websocket';

/**
 * `/v1/sync/<document>?token=…`: any Yjs app with the stock y-websocket provider. Browsers hide
 * why an upgrade was refused, so the socket is accepted first and closed with a code that says it.
 */
export class SyncDoor {
  readonly #parts: Parts;
  readonly #sockets: WebSocketServer;
  readonly #sessions = new Set<SyncSession>();
  readonly #perMember = new Map<string, number>();
  readonly #beat: NodeJS.Timeout;
  #isClosing = false;

  constructor(server: Server, parts: Parts) {
    this.#parts = parts;
    const options = {
      noServer: true,
      // Twice the bound that we answer with a code of our own; ws cuts off what is larger still.
      maxPayload: 2 * LIMITS.frameBytes,
      perMessageDeflate: false,
      // The types of ws do not know this one yet.
      closeTimeout: CLOSING_MS,
    };
    this.#sockets = new WebSocketServer(options);
    server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
    this.#beat = setInterval(() => {
      for (const session of this.#sessions) session.beat(Date.now());
    }, BEAT_MS);
  }

  /** Tells every client to go to another region, and waits until they have. */
  async close(): Promise<void> {
    this.#isClosing = true;
    clearInterval(this.#beat);
    for (const session of this.#sessions) session.fail(shuttingDown());
    const patience = setTimeout(() => {
      for (const socket of this.#sockets.clients) socket.terminate();
    }, STOPPING_MS);
    await new Promise<void>((resolve) => this.#sockets.close(() => resolve()));
    clearTimeout(patience);
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => undefined);
    const url = URL.parse(request.url ?? '', 'http://region');
    if (url === null) return void socket.destroy();
    this.#sockets.handleUpgrade(request, socket, head, (client) => void this.#accept(client, socket, url));
  }

  /** Never rejects. */
  async #accept(socket: WebSocket, wire: Duplex, url: URL): Promise<void> {
    // From the first moment: a socket that closes hands over even while it is paused what it held, and
    // ws reports a bad frame in it as an error event, which without a listener ends the process.
    socket.on('error', () => undefined);
    // Frames that come during the sign-in wait in the socket.
    socket.pause();
    this.#parts.metrics.socketOpened();
    socket.once('close', () => this.#parts.metrics.socketClosed());
    let session: SyncSession | undefined;
    const fail = (cause: unknown): void => {
      if (session === undefined) this.#refuse(socket, cause);
      else session.fail(cause);
    };
    const patience = setTimeout(
      () => fail(new CausewayError('not-ready', 'the document did not open in time; try again')),
      OPENING_MS,
    );
    try {
      const opening = await this.#signIn(url);
      if (this.#isClosing) throw shuttingDown();
      if (socket.readyState !== socket.OPEN) return;
      session = this.#session(socket, wire, opening, url.searchParams.get('cells') === '1');
      // Once more, now that changes are watched: one may have come since the sign-in.
      await this.#parts.access.document(opening.identity, opening.document);
      await session.open();
    } catch (error) {
      fail(error);
    } finally {
      clearTimeout(patience);
      socket.resume();
    }
  }

  #refuse(socket: WebSocket, cause: unknown): void {
    if (socket.readyState !== socket.OPEN) return;
    const error = asCausewayError(cause);
    this.#parts.metrics.socketFailed(error.code);
    closeWith(socket, error);
    const patience = setTimeout(() => socket.terminate(), REFUSING_MS);
    socket.once('close', () => clearTimeout(patience));
  }

  async #signIn(url: URL): Promise<Opening> {
    if (this.#sockets.clients.size > SOCKETS)
      throw new CausewayError('not-ready', 'too many connections; try again or go to another region');
    const { tokens, access } = this.#parts;
    const identity = await tokens.verify(url.searchParams.get('token') ?? undefined);
    if ((this.#perMember.get(keyOf(identity)) ?? 0) >= SOCKETS_PER_MEMBER)
      throw new CausewayError('rate-limited', `one member opens at most ${SOCKETS_PER_MEMBER} documents`);
    const { replica, name } = await access.document(identity, decode(url.pathname.slice(PATH.length)));
    return { replica, document: await mustExist(replica, name), name, identity };
  }

  #session(socket: WebSocket, wire: Duplex, opening: Opening, withCells: boolean): SyncSession {
    const { replica, document, name, identity } = opening;
    const { access } = this.#parts;
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
      withCells,
      rooms: this.#parts.rooms,
      failed: (code) => this.#parts.metrics.socketFailed(code),
      closed: () => {
        unwatch();
        this.#sessions.delete(session);
        this.#count(identity, -1);
      },
    });
    this.#sessions.add(session);
    this.#count(identity, 1);
    return session;
  }

  #count(identity: Identity, change: 1 | -1): void {
    const key = keyOf(identity);
    const count = (this.#perMember.get(key) ?? 0) + change;
    if (count === 0) this.#perMember.delete(key);
    else this.#perMember.set(key, count);
  }
}

const shuttingDown = (): CausewayError =>
  new CausewayError('shutting-down', 'this process is stopping; connect again');

const keyOf = ({ workspace, member }: Identity): string => `${workspace}/${member}`;

/** A document is served when somebody created it: otherwise any name would make one. */
async function mustExist(replica: Replica, name: Name): Promise<string> {
  if (name.kind === 'canvas') {
    const list = await replica.cells.open(canvasesScope(name.workspace));
    if (list.has(`canvas|${name.canvas}`)) return canvasName(name.workspace, name.canvas, name.generation);
    throw new CausewayError('not-here-yet', 'there is no such canvas in this region (yet)');
  }
  if (name.kind !== 'segment') throw new CausewayError('not-found', 'this is no document');
  const top = highestTop((await replica.cells.open(channelScope(name.workspace, name.channel))).values());
  if (name.segment > top + 1) throw new CausewayError('not-here-yet', `the newest segment is ${top}`);
  return segmentName(name.workspace, name.channel, name.segment);
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw new CausewayError('not-found', 'the document name is not readable');
  }
}
