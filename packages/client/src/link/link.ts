import { CausewayError, ERRORS, type ErrorCode, type Request } from '@causeway/protocol';
import * as decoding from 'lib0/decoding';
import * as encoding from 'lib0/encoding';
import * as sync from 'y-protocols/sync';
import * as Y from 'yjs';
import { backoffMs } from '../backoff.ts';
import { Listeners } from '../listeners.ts';
import { asCausewayError, isRetryable, waitMs } from '../retryable.ts';
import type { Credentials } from './credentials.ts';
import {
  AUTH,
  FRAME,
  PONG,
  SCOPE,
  SYNC,
  frame,
  inflate,
  isPing,
  readFrame,
  signIn,
  type Heard,
} from './frames.ts';

/** `live`: what the region has is here. `stopped`: it will not come back by itself, see `error`. */
export type ConnectionStatus = 'connecting' | 'live' | 'reconnecting' | 'stopped';
export type Connection = { status: ConnectionStatus; error?: CausewayError };

/** Who speaks about one document. */
export type Speaker = {
  /** The region lets us in, on a new connection or with another right: say what is here. */
  joined(mayWrite: boolean): void;
  /** A frame about the document. */
  heard(type: number, from: decoding.Decoder): void;
  /** Not in any more; with `isOver` it does not come back by itself. */
  left(error: CausewayError | undefined, isOver: boolean): void;
};

/** A speaker's end of the line. */
export type Line = {
  /** Says something, if the region lets us in at the moment. */
  send(type: number, write?: (to: encoding.Encoder) => void): void;
  close(): void;
};

export type LinkParts = {
  /** The region, e.g. `http://127.0.0.1:4101`. */
  url: string;
  credentials: Credentials;
  /** From 0 to 1. */
  random(): number;
  /** The document by which the link finds out whether it is alive: it holds nothing. */
  probe: string;
  /** Does somebody wait for what only the region can do? Then it is asked to let us in before those who look on. */
  isAwaited?(): boolean;
  webSocket?: typeof WebSocket;
};

/** Nothing heard for so long, and the region is asked; twice as long again, and the connection is given up. */
const QUIET_MS = 10_000;
const OPEN_MS = 10_000;
/**
 * Clients that lost one region come back to it over so long, milliseconds, and if it is not there the next
 * wait is as long: what it accepts in a second is bounded (PAINS 15). Who is used comes sooner, see `hurry`.
 */
const SPREAD_MS = 2_000;
/** By so many attempts of `backoffMs` the second wait is longer than the first one there. */
const BACKED_OFF = 2;
/** Somebody has just done something: the next attempt is made within this time, milliseconds. */
const HURRY_MS = 500;

type Room = {
  speakers: Set<Speaker>;
  isJoined: boolean;
  mayWrite: boolean;
  attempts: number;
  timer?: ReturnType<typeof setTimeout>;
};

/**
 * The one socket of a client to `/v1/collab`: many documents, each by its name, and whatever their
 * speakers say. It comes back by itself, with jitter, until it is told to stop: by `close`, or by
 * a region that says that there is no use (PAINS 11).
 */
export class Link {
  readonly #parts: LinkParts;
  readonly #rooms = new Map<string, Room>();
  readonly #listeners = new Listeners();
  #socket: WebSocket | undefined;
  /** Ends hearing of the socket. */
  #over: AbortController | undefined;
  #token = '';
  #isOpen = false;
  #isClosed = false;
  /** Once for a connection. */
  #hasKnocked = false;
  #heardAt = 0;
  /** Frames that came while one before them is being inflated: they are heard in their order. */
  #later: Uint8Array[] | undefined;
  #attempts = 0;
  /** The last token was refused, and no other one has been let in since. */
  #isDoubtful = false;
  #beat: ReturnType<typeof setInterval> | undefined;
  #again: ReturnType<typeof setTimeout> | undefined;
  /** When the next attempt is made, by `performance.now`, and not before which time: the region said so. */
  #againAt = { next: 0, earliest: 0 };
  #connection: Connection = { status: 'connecting' };

  constructor(parts: LinkParts) {
    this.#parts = parts;
    void this.#connect();
  }

  readonly getSnapshot = (): Connection => this.#connection;
  readonly subscribe = (listener: () => void): (() => void) => this.#listeners.add(listener);

  /** Speaks about a document until the line is closed; the region is asked to let us in whenever it can be. */
  attach(name: string, speaker: Speaker): Line {
    let room = this.#rooms.get(name);
    if (room === undefined) {
      this.#rooms.set(name, (room = { speakers: new Set(), isJoined: false, mayWrite: false, attempts: 0 }));
      if (this.#isOpen) this.#send(signIn(name, this.#token));
    }
    const mine = room;
    mine.speakers.add(speaker);
    // Not before its owner has the line.
    queueMicrotask(() => {
      if (!mine.speakers.has(speaker)) return;
      if (mine.isJoined) speaker.joined(mine.mayWrite);
      else if (this.#connection.status === 'stopped') speaker.left(this.#connection.error, true);
    });
    return {
      send: (type, write) => {
        if (!mine.isJoined || !mine.speakers.has(speaker)) return;
        const data = frame(name, type, write);
        this.#send(data);
        this.#tellSiblings(mine, speaker, data);
      },
      close: () => this.#detach(name, mine, speaker),
    };
  }

  /** The token for whom is let in from now on. */
  renew(token: string): void {
    this.#token = token;
  }

  /** Tries at once what waits for its next attempt. */
  wake(): void {
    if (this.#again === undefined || this.#isClosed) return;
    clearTimeout(this.#again);
    void this.#connect();
  }

  /** Somebody has just done something that waits for the region. */
  hurry(): void {
    if (this.#isClosed) return;
    if (this.#isOpen) return this.#knock();
    const { next, earliest } = this.#againAt;
    const now = performance.now();
    // Half of it by chance, as in all that many clients do at one time.
    const soon = Math.max(earliest, now + (HURRY_MS / 2) * (1 + this.#parts.random()));
    if (this.#again === undefined || next <= now + HURRY_MS || next <= soon) return;
    clearTimeout(this.#again);
    this.#connectAt(soon, earliest);
  }

  /** Leaves no socket and no timer. */
  close(): void {
    this.#isClosed = true;
    this.#drop();
    clearTimeout(this.#again);
    for (const room of this.#rooms.values()) clearTimeout(room.timer);
    this.#rooms.clear();
    this.#listeners.clear();
  }

  async #connect(): Promise<void> {
    this.#again = undefined;
    const { url, credentials, webSocket: Socket = globalThis.WebSocket } = this.#parts;
    try {
      this.#token = await (this.#isDoubtful ? credentials.instead(this.#token) : credentials.current());
    } catch (cause) {
      return this.#failed(asCausewayError(cause));
    }
    if (this.#isClosed) return;
    const socket = new Socket(`${url.replace(/^http/, 'ws')}/v1/collab`);
    socket.binaryType = 'arraybuffer';
    this.#socket = socket;
    const over = new AbortController();
    const { signal } = over;
    this.#over = over;
    const patience = setTimeout(() => this.#lost(socket, notReady()), OPEN_MS);
    signal.addEventListener('abort', () => clearTimeout(patience));
    this.#beat = setInterval(() => this.#look(socket), QUIET_MS);
    const opened = (): void => {
      clearTimeout(patience);
      this.#opened();
    };
    socket.addEventListener('open', opened, { signal });
    socket.addEventListener(
      'message',
      ({ data }: MessageEvent<ArrayBuffer>) => this.#take(socket, new Uint8Array(data)),
      { signal },
    );
    socket.addEventListener('close', ({ code, reason }) => this.#lost(socket, errorOfClose(code, reason)), {
      signal,
    });
  }

  #opened(): void {
    this.#isOpen = true;
    this.#hasKnocked = false;
    this.#heardAt = performance.now();
    for (const [name, room] of this.#rooms) {
      clearTimeout(room.timer);
      this.#send(signIn(name, this.#token));
    }
    if (this.#parts.isAwaited?.() === true) this.#knock();
  }

  /** Where many wait to be let in, those who say something go ahead. What it says is true, and asks for no answer. */
  #knock(): void {
    const { probe } = this.#parts;
    if (this.#hasKnocked || this.#rooms.get(probe)?.isJoined !== false) return;
    this.#hasKnocked = true;
    this.#send(frame(probe, FRAME.stateless, (to) => encoding.writeVarString(to, I_AM_HERE)));
  }

  #take(socket: WebSocket, data: Uint8Array): void {
    this.#heardAt = performance.now();
    if (isPing(data)) return this.#send(PONG);
    if (this.#later !== undefined) return void this.#later.push(data);
    try {
      const heard = readFrame(data);
      if (heard.type === FRAME.deflated) void this.#inflate(socket, heard);
      else this.#hear(heard);
    } catch {
      this.#lost(socket, unreadable());
    }
  }

  /** Never rejects. */
  async #inflate(socket: WebSocket, deflated: Heard): Promise<void> {
    const later: Uint8Array[] = (this.#later = []);
    try {
      const heard = await inflate(deflated);
      // Another connection has frames of its own.
      if (this.#later !== later) return;
      this.#later = undefined;
      this.#hear(heard);
    } catch {
      if (this.#socket === socket) this.#lost(socket, unreadable());
    }
    for (const data of later) if (this.#socket === socket) this.#take(socket, data);
  }

  #hear({ name, type, from }: Heard): void {
    const room = this.#rooms.get(name);
    if (room === undefined) return;
    if (type === FRAME.auth) this.#admitted(name, room, from);
    else if (type === FRAME.close) this.#refused(name, room, errorOfText(decoding.readVarString(from)));
    else dispatch(room.speakers, type, from);
  }

  #admitted(name: string, room: Room, from: decoding.Decoder): void {
    const what = decoding.readVarUint(from);
    if (what === AUTH.token) return this.#send(signIn(name, this.#token));
    if (what === AUTH.denied)
      return this.#refused(name, room, errorOfText(decoding.readVarString(from), 'forbidden'));
    room.isJoined = true;
    room.mayWrite = decoding.readVarString(from) === SCOPE.write;
    room.attempts = 0;
    this.#attempts = 0;
    this.#isDoubtful = false;
    this.#become({ status: 'live' });
    for (const speaker of room.speakers) speaker.joined(room.mayWrite);
  }

  /** One document is refused or ended, the others go on. */
  #refused(name: string, room: Room, error: CausewayError): void {
    room.isJoined = false;
    if (error.code === 'unauthorized') return this.#lost(this.#socket, error);
    const isOver = !isRetryable(error);
    clearTimeout(room.timer);
    // Who comes later asks anew.
    if (isOver) this.#rooms.delete(name);
    else {
      room.timer = setTimeout(
        () => this.#isOpen && this.#send(signIn(name, this.#token)),
        waitMs(error, ++room.attempts, this.#parts.random),
      );
    }
    const speakers = [...room.speakers];
    if (isOver) room.speakers.clear();
    for (const speaker of speakers) speaker.left(error, isOver);
  }

  /** The connection is gone, whoever says so first. */
  #lost(socket: WebSocket | undefined, error: CausewayError): void {
    if (socket === undefined || this.#socket !== socket) return;
    this.#drop();
    this.#failed(error);
  }

  #failed(error: CausewayError): void {
    if (this.#isClosed) return;
    const mayRenew = error.code === 'unauthorized' && !this.#isDoubtful && this.#token !== '';
    const isOver = !isRetryable(error) && !mayRenew;
    if (mayRenew) this.#isDoubtful = true;
    for (const room of this.#rooms.values()) {
      clearTimeout(room.timer);
      room.isJoined = false;
      for (const speaker of room.speakers) speaker.left(error, isOver);
    }
    this.#become({ status: isOver ? 'stopped' : 'reconnecting', error });
    if (isOver) return;
    const now = performance.now();
    const earliest = now + (error.retryAfter ?? 0) * 1_000;
    this.#connectAt(mayRenew ? now : Math.max(earliest, now + this.#backoffMs()), earliest);
  }

  #backoffMs(): number {
    const { random, isAwaited } = this.#parts;
    if (++this.#attempts > 1) return backoffMs(this.#attempts + BACKED_OFF, random);
    return random() * (isAwaited?.() === true ? HURRY_MS : SPREAD_MS);
  }

  #connectAt(next: number, earliest: number): void {
    this.#againAt = { next, earliest };
    this.#again = setTimeout(() => void this.#connect(), next - performance.now());
  }

  #drop(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    this.#isOpen = false;
    this.#later = undefined;
    clearInterval(this.#beat);
    if (socket === undefined) return;
    this.#over?.abort();
    socket.close();
  }

  /** A socket does not say that the other end is gone. */
  #look(socket: WebSocket): void {
    if (!this.#isOpen) return;
    const quiet = performance.now() - this.#heardAt;
    if (quiet >= 3 * QUIET_MS) return this.#lost(socket, notReady());
    if (quiet < QUIET_MS / 2) return;
    this.#send(frame(this.#parts.probe, FRAME.sync, (to) => sync.writeSyncStep1(to, NOTHING)));
  }

  #detach(name: string, room: Room, speaker: Speaker): void {
    if (!room.speakers.delete(speaker) || room.speakers.size > 0) return;
    clearTimeout(room.timer);
    if (this.#rooms.get(name) !== room) return;
    this.#rooms.delete(name);
    if (this.#isOpen) this.#send(frame(name, FRAME.close));
  }

  /** The region does not tell a socket what that socket said. */
  #tellSiblings({ speakers }: Room, speaker: Speaker, data: Uint8Array): void {
    if (speakers.size === 1) return;
    const { type, from } = readFrame(data);
    if (type === FRAME.sync && decoding.peekVarUint(from) !== SYNC.update) return;
    if (type !== FRAME.sync && type !== FRAME.awareness) return;
    dispatch(
      [...speakers].filter((other) => other !== speaker),
      type,
      from,
    );
  }

  #send(data: Uint8Array<ArrayBuffer>): void {
    if (this.#isOpen) this.#socket?.send(data);
  }

  #become(connection: Connection): void {
    if (connection.status === this.#connection.status && connection.error === this.#connection.error) return;
    this.#connection = connection;
    this.#listeners.tell();
  }
}

const NOTHING = new Y.Doc();
const I_AM_HERE = JSON.stringify({ do: 'state', idle: false } satisfies Request);

function dispatch(speakers: Iterable<Speaker>, type: number, from: decoding.Decoder): void {
  for (const speaker of speakers) speaker.heard(type, decoding.clone(from));
}

/** Whatever it is, the next connection starts from the states of both sides. */
const unreadable = (): CausewayError =>
  new CausewayError('not-ready', 'the region said something that cannot be read');

const notReady = (): CausewayError => new CausewayError('not-ready', 'the region does not answer');

/** What a close code of ours says; any other one is a connection that broke. */
export function errorOfClose(code: number, reason: string): CausewayError {
  const known = (Object.keys(ERRORS) as ErrorCode[]).find((name) => ERRORS[name].close === code);
  return known === undefined
    ? new CausewayError('not-ready', 'the connection to the region broke')
    : new CausewayError(known, reason === '' ? ERRORS[known].title : reason);
}

/** A reason of ours is `<code>: <what to do>`. */
function errorOfText(reason: string, otherwise: ErrorCode = 'not-ready'): CausewayError {
  const [code = '', ...rest] = reason.split(':');
  return Object.hasOwn(ERRORS, code)
    ? new CausewayError(code as ErrorCode, rest.join(':').trim() || ERRORS[code as ErrorCode].title)
    : new CausewayError(otherwise, reason || ERRORS[otherwise].title);
}
