import {
  CausewayError,
  ERRORS,
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
import type { Tokens } from '../../tokens.ts';
import { asCausewayError } from '../problems.ts';
import { AwarenessRoom } from './awareness.ts';
import { SyncSession } from './session.ts';

const PATH = '/v1/sync/';
/** Open sockets of one process. */
const SOCKETS = 20_000;
/** Time for the sign-in and the load of a document before the socket is given up, milliseconds. */
const OPENING_MS = 10_000;

type Parts = { tokens: Tokens; access: Access; metrics: Metrics };
type Opening = { replica: Replica; document: string; name: Name; member: string };

/**
 * `/v1/sync/<document>?token=…`: any Yjs app with the stock y-websocket provider. Browsers hide
 * why an upgrade was refused, so the socket is accepted first and closed with a code that says it.
 */
export class SyncDoor {
  readonly #parts: Parts;
  readonly #sockets: WebSocketServer;
  readonly #sessions = new Set<SyncSession>();
  readonly #rooms = new Map<string, AwarenessRoom>();

  constructor(server: Server, parts: Parts) {
    this.#parts = parts;
    this.#sockets = new WebSocketServer({
      noServer: true,
      // Twice the bound that we answer with a code of our own; ws cuts off what is larger still.
      maxPayload: 2 * LIMITS.frameBytes,
      perMessageDeflate: false,
    });
    server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
  }

  /** Tells every client to go to another region, and waits until they have. */
  async close(): Promise<void> {
    for (const session of this.#sessions)
      session.fail(new CausewayError('shutting-down', 'this process is stopping; connect again'));
    for (const socket of this.#sockets.clients) socket.once('error', () => undefined);
    const patience = setTimeout(() => {
      for (const socket of this.#sockets.clients) socket.terminate();
    }, 1_000);
    await new Promise<void>((resolve) => this.#sockets.close(() => resolve()));
    clearTimeout(patience);
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => undefined);
    const url = URL.parse(request.url ?? '', 'http://region');
    if (url === null || !url.pathname.startsWith(PATH)) {
      socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    this.#sockets.handleUpgrade(request, socket, head, (client) => void this.#accept(client, url));
  }

  async #accept(socket: WebSocket, url: URL): Promise<void> {
    this.#parts.metrics.socketOpened();
    // Frames that come during the sign-in wait in the socket.
    socket.pause();
    const patience = setTimeout(() => socket.terminate(), OPENING_MS);
    try {
      if (this.#sockets.clients.size > SOCKETS)
        throw new CausewayError('not-ready', 'too many connections; try again or go to another region');
      const opening = await this.#signIn(url);
      if (socket.readyState !== socket.OPEN) return this.#parts.metrics.socketClosed();
      const session = this.#session(socket, opening, url.searchParams.get('cells') === '1');
      await session.open();
      socket.resume();
    } catch (cause) {
      const error = asCausewayError(cause);
      socket.on('error', () => undefined);
      socket.resume();
      socket.close(ERRORS[error.code].close, error.message.slice(0, 120));
      this.#parts.metrics.socketClosed(error.code);
    } finally {
      clearTimeout(patience);
    }
  }

  async #signIn(url: URL): Promise<Opening> {
    const identity = await this.#parts.tokens.verify(url.searchParams.get('token') ?? undefined);
    const { workspace, name } = this.#parts.access.catalog.document(decode(url.pathname.slice(PATH.length)));
    const replica = this.#parts.access.replicaFor(identity, workspace);
    const document = await mustExist(replica, name);
    return { replica, document, name, member: identity.member };
  }

  #session(socket: WebSocket, { replica, document, name, member }: Opening, withCells: boolean): SyncSession {
    const room = name.kind === 'canvas' ? this.#room(document) : undefined;
    const session = new SyncSession({
      socket,
      replica,
      document,
      name,
      member,
      withCells,
      room,
      closed: (code) => {
        this.#sessions.delete(session);
        this.#parts.metrics.socketClosed(code);
        if (room?.empty === true) this.#rooms.delete(document);
      },
    });
    this.#sessions.add(session);
    return session;
  }

  #room(document: string): AwarenessRoom {
    let room = this.#rooms.get(document);
    if (room === undefined) this.#rooms.set(document, (room = new AwarenessRoom()));
    return room;
  }
}

/** A document is served when somebody created it: otherwise any name would make one. */
async function mustExist(replica: Replica, name: Name): Promise<string> {
  if (name.kind === 'canvas') {
    const list = await replica.cells.open(canvasesScope(name.workspace));
    if (list.has(`canvas|${name.canvas}`)) return canvasName(name.workspace, name.canvas);
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
