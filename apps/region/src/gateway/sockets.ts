import { CausewayError, LIMITS } from '@causeway/protocol';
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type WebSocket } from 'ws';
import type { Metrics } from '../metrics.ts';
import type { Identity } from '../tokens.ts';
import { asCausewayError } from './problems.ts';
import { closeWith } from './sync/closing.ts';
import type { Turns } from './turns.ts';

/** Open sockets of one process, and those of one member among them. */
const SOCKETS = 20_000;
const SOCKETS_PER_MEMBER = 2_000;
/** Time for what a door does before it reads from a socket, milliseconds. */
const OPENING_MS = 10_000;
/** Time for the other end to answer a close, milliseconds; less for those who were never let in. */
const CLOSING_MS = 10_000;
const REFUSING_MS = 2_000;
const STOPPING_MS = 1_000;
/** See `Session.beat`; sessions take turns in so many groups: all at once they would hold up everything else. */
const BEAT_MS = 10_000;
const GROUPS = 50;

/** A socket that was let in. */
export type Session = {
  /** Closes it with the code of the error. */
  fail(cause: unknown): void;
  /** Called every ten seconds: ends what an expired token opened, and clients that vanished without a word. */
  beat(now: number): void;
};

export type Accepted = {
  socket: WebSocket;
  /** The socket below it. */
  wire: Duplex;
  url: URL;
  /** There is a session: from now on it closes the socket, and is told when to. */
  admit(session: Session): void;
};

/** One address at which WebSockets are taken. */
export type Door = {
  serves(path: string): boolean;
  /** Signs in while it opens, and so waits for its turn; otherwise it waits with every sign-in that comes later. */
  readonly opensInTurn: boolean;
  /** Signs in and opens; the socket is not read before this has settled. What it rejects with closes the socket. */
  open(accepted: Accepted): Promise<void>;
};

export type SocketsParts = { metrics: Metrics; turns: Turns; doors: readonly Door[] };

/** The sockets of each member in this process. */
export class MemberSockets {
  readonly #counts = new Map<string, number>();

  /** Counts one more until the returned function is called; throws `rate-limited` when there are too many. */
  enter({ workspace, member }: Identity): () => void {
    const key = `${workspace}/${member}`;
    if ((this.#counts.get(key) ?? 0) >= SOCKETS_PER_MEMBER)
      throw new CausewayError('rate-limited', `one member opens at most ${SOCKETS_PER_MEMBER} sockets`);
    this.#add(key, 1);
    return () => this.#add(key, -1);
  }

  #add(key: string, change: 1 | -1): void {
    const count = (this.#counts.get(key) ?? 0) + change;
    if (count === 0) this.#counts.delete(key);
    else this.#counts.set(key, count);
  }
}

/**
 * The WebSockets of a process, whichever door they come through. Browsers hide why an upgrade was
 * refused, so a socket is accepted first and closed with a code that says it.
 */
export class Sockets {
  readonly #metrics: Metrics;
  readonly #turns: Turns;
  readonly #doors: readonly Door[];
  readonly #server: WebSocketServer;
  readonly #sessions = Array.from({ length: GROUPS }, () => new Set<Session>());
  #admitted = 0;
  #beats = 0;
  readonly #beat: NodeJS.Timeout;
  #isClosing = false;

  constructor(server: Server, { metrics, turns, doors }: SocketsParts) {
    this.#metrics = metrics;
    this.#turns = turns;
    this.#doors = doors;
    const options = {
      noServer: true,
      // Twice the bound that we answer with a code of our own; ws cuts off what is larger still.
      maxPayload: 2 * LIMITS.frameBytes,
      // An idle connection would cost 200 KB more with it.
      perMessageDeflate: false,
      // The types of ws do not know this one yet.
      closeTimeout: CLOSING_MS,
    };
    this.#server = new WebSocketServer(options);
    server.on('connection', () => this.#turns.accepted());
    server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
    this.#beat = setInterval(() => {
      for (const session of this.#sessions[this.#beats++ % GROUPS]!) session.beat(Date.now());
    }, BEAT_MS / GROUPS);
  }

  /** Tells every client to go to another region, and waits until they have. */
  async close(): Promise<void> {
    this.#isClosing = true;
    clearInterval(this.#beat);
    for (const session of this.#sessions.flatMap((group) => [...group])) session.fail(shuttingDown());
    const patience = setTimeout(() => {
      for (const socket of this.#server.clients) socket.terminate();
    }, STOPPING_MS);
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
    clearTimeout(patience);
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => undefined);
    const url = URL.parse(request.url ?? '', 'http://region');
    const door = this.#doors.find(({ serves }) => url !== null && serves(url.pathname));
    if (url === null || door === undefined) return void socket.destroy();
    this.#server.handleUpgrade(
      request,
      socket,
      head,
      (client) => void this.#accept(door, client, socket, url),
    );
  }

  /** Never rejects. */
  async #accept(door: Door, socket: WebSocket, wire: Duplex, url: URL): Promise<void> {
    // From the first moment: a socket that closes hands over even while it is paused what it held, and
    // ws reports a bad frame in it as an error event, which without a listener ends the process.
    socket.on('error', () => undefined);
    // Frames that come during the sign-in wait in the socket.
    socket.pause();
    this.#metrics.socketOpened();
    socket.once('close', () => this.#metrics.socketClosed());
    let session: Session | undefined;
    const fail = (cause: unknown): void => {
      if (session === undefined) this.#refuse(socket, cause);
      else session.fail(cause);
    };
    const admit = (admitted: Session): void => {
      if (this.#isClosing) throw shuttingDown();
      session = admitted;
      const group = this.#sessions[this.#admitted++ % GROUPS]!;
      group.add(admitted);
      socket.once('close', () => group.delete(admitted));
    };
    const turn = door.opensInTurn ? this.#turns.wait('arriving') : undefined;
    if (turn !== undefined) socket.once('close', () => turn.end());
    await turn?.come;
    const patience = setTimeout(
      () => fail(new CausewayError('not-ready', 'the document did not open in time; try again')),
      OPENING_MS,
    );
    try {
      if (this.#server.clients.size > SOCKETS)
        throw new CausewayError('not-ready', 'too many connections; try again or go to another region');
      if (socket.readyState === socket.OPEN) await door.open({ socket, wire, url, admit });
    } catch (error) {
      fail(error);
    } finally {
      turn?.end();
      clearTimeout(patience);
      socket.resume();
    }
  }

  #refuse(socket: WebSocket, cause: unknown): void {
    if (socket.readyState !== socket.OPEN) return;
    const error = asCausewayError(cause);
    this.#metrics.socketFailed(error.code);
    closeWith(socket, error);
    const patience = setTimeout(() => socket.terminate(), REFUSING_MS);
    socket.once('close', () => clearTimeout(patience));
  }
}

const shuttingDown = (): CausewayError =>
  new CausewayError('shutting-down', 'this process is stopping; connect again');
