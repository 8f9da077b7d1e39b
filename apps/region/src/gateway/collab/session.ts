import { CausewayError, ERRORS } from '@causeway/protocol';
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { Identity } from '../../tokens.ts';
import { Incoming } from '../incoming.ts';
import { Outgoing } from '../outgoing.ts';
import { asCausewayError } from '../problems.ts';
import type { Session } from '../sockets.ts';
import { closeWith } from '../sync/closing.ts';
import type { Rank, Turn } from '../turns.ts';
import { CollabDocument } from './document.ts';
import type { CollabDoorParts } from './door.ts';
import { Messages, PING_MESSAGE, readMessage, type Message } from './messages.ts';

/** Documents of one socket. */
const DOCUMENTS = 1_000;
/** Tokens that one socket may show in vain before it is closed. */
const REFUSALS = 20;
/** Time until a socket must have shown a token, and after one was refused another one, milliseconds. */
const SIGN_IN_MS = 10_000;
/** So long before a token expires its client is asked for another one, milliseconds. */
const ASK_BEFORE_MS = 60_000;

export type CollabSessionParts = CollabDoorParts & { socket: WebSocket; wire: Duplex };

/** Who is signed in on a socket, and until when. */
type SignedIn = { identity: Identity; leave(): void };

/**
 * One socket of the `/v1/collab` door. Every document on it shows a token; all of them are of one
 * member. A message finds its document by one look-up, however many there are.
 *
 * Documents are opened in turn, see Turns. Who says something in a document before it is open ("I am
 * here", or a command) waits for it: what this socket opens then goes ahead of the others.
 */
export class CollabSession implements Session {
  readonly #parts: CollabSessionParts;
  readonly #incoming: Incoming;
  readonly #outgoing: Outgoing;
  readonly #documents = new Map<string, CollabDocument>();
  /** What is opened when its turn comes. */
  readonly #turns = new Set<Turn>();
  #signInBy: NodeJS.Timeout | undefined;
  #rank: Rank = 'arriving';
  #signedIn: SignedIn | undefined;
  #refusals = 0;
  /** Can the client read what is deflated? */
  #inflates = false;
  #isOver = false;

  constructor(parts: CollabSessionParts) {
    this.#parts = parts;
    const { socket, wire } = parts;
    const failed = (cause: unknown): void => this.fail(cause);
    this.#outgoing = new Outgoing({ wire, failed, counts: parts.metrics.outgoing });
    this.#incoming = new Incoming({
      socket,
      frames: 'binary',
      take: (data) => this.#act(readMessage(data)),
      failed,
    });
    this.#wantToken();
    socket.on('close', () => this.#end());
  }

  fail(cause: unknown): void {
    if (this.#isOver) return;
    const error = asCausewayError(cause);
    this.#parts.metrics.socketFailed(error.code);
    this.#end();
    closeWith(this.#parts.socket, error);
  }

  beat(now: number): void {
    if (this.#isOver) return;
    this.#incoming.beat();
    if (!this.#outgoing.hasWritten) this.#outgoing.say(PING_MESSAGE);
    this.#outgoing.hasWritten = false;
    if (this.#signedIn === undefined) return;
    const talks = [...this.#documents.values()].map(({ expires }) => expires);
    const expires = Math.max(this.#signedIn.identity.expires, ...talks);
    if (now >= expires) return this.fail(new CausewayError('unauthorized', 'the token has expired'));
    // One answer is enough: all documents are of one member.
    const [address] = this.#documents.keys();
    if (now >= expires - ASK_BEFORE_MS && address !== undefined)
      this.#outgoing.say(new Messages(address).tokenRequest());
  }

  #act(message: Message): void {
    if (message.kind === 'pong') return;
    const document = this.#documents.get(message.address);
    if (message.kind === 'auth') {
      const isNew = document === undefined;
      this.#inflates = message.inflates;
      void (isNew ? this.#open(message.address, message.token) : this.#refresh(message.token));
    } else if (message.kind === 'close') {
      this.#documents.delete(message.address);
      document?.close();
    } else {
      if (message.kind === 'stateless' && document?.isOpen === false) this.#hurry();
      document?.take(message);
    }
    // A provider may speak of its cursor or send an update before its token: both come again with its first step.
  }

  #wantToken(): void {
    clearTimeout(this.#signInBy);
    this.#signInBy = setTimeout(
      () => this.fail(new CausewayError('unauthorized', 'show a token first, in an authentication message')),
      SIGN_IN_MS,
    );
  }

  #hurry(): void {
    this.#rank = 'ahead';
    for (const turn of this.#turns) turn.hurry();
  }

  /** Opens a document in its turn, for who shows a valid token. Never rejects. */
  async #open(address: string, token: string): Promise<void> {
    const messages = new Messages(address);
    if (this.#documents.size >= DOCUMENTS)
      return this.#deny(
        messages,
        new CausewayError('rate-limited', `one socket opens ${DOCUMENTS} documents`),
      );
    const document = new CollabDocument({
      ...this.#parts,
      address,
      messages,
      outgoing: this.#outgoing,
      hold: (bytes) => this.#incoming.hold(bytes),
      inflates: () => this.#inflates,
      closed: (error) => this.#closed(document, error),
    });
    this.#documents.set(address, document);
    // It is for us now to be quick.
    clearTimeout(this.#signInBy);
    const turn = this.#parts.turns.wait(this.#rank);
    this.#turns.add(turn);
    try {
      await turn.come;
      if (!this.#isOver) await document.open(await this.#signIn(token));
    } catch (error) {
      this.#openingFailed(document, asCausewayError(error));
    } finally {
      this.#turns.delete(turn);
      turn.end();
      if (this.#signedIn === undefined && this.#turns.size === 0 && !this.#isOver) this.#wantToken();
    }
  }

  /** The identity of a token, which has to be the one that the socket has already, if any. */
  async #signIn(token: string): Promise<Identity> {
    const { tokens, members, access } = this.#parts;
    const identity = await tokens.verify(token);
    if (this.#isOver) throw new CausewayError('not-ready', 'the socket is closed');
    if (this.#signedIn === undefined) {
      const leave = members.enter(identity);
      const unwatch = access.watch(identity, () => this.#lookAgain());
      this.#signedIn = {
        identity,
        leave: () => {
          leave();
          unwatch();
        },
      };
    }
    const held = this.#signedIn.identity;
    if (identity.member !== held.member || identity.workspace !== held.workspace)
      throw new CausewayError('forbidden', 'this socket is of another member; open one for each');
    if (identity.expires > held.expires) this.#signedIn.identity = identity;
    return identity;
  }

  /** The provider of a document that is open shows another token. Never rejects. */
  async #refresh(token: string): Promise<void> {
    try {
      await this.#signIn(token);
    } catch (error) {
      this.fail(error);
    }
  }

  /**
   * A provider that is told "denied" does not try again, and one whose socket closes does. So what will
   * pass closes the socket, unless others share it and only this document is concerned.
   */
  #openingFailed(document: CollabDocument, error: CausewayError): void {
    const { address, messages } = document;
    if (this.#isOver || this.#documents.get(address) !== document) return document.close();
    const { next } = ERRORS[error.code];
    const isPassing = next === 'retry' || next === 'elsewhere';
    if (isPassing && (error.code !== 'not-here-yet' || this.#documents.size === 1)) return this.fail(error);
    this.#documents.delete(address);
    document.close();
    this.#deny(messages, error);
  }

  #deny(messages: Messages, error: CausewayError): void {
    if (++this.#refusals > REFUSALS && this.#signedIn === undefined) return this.fail(error);
    this.#outgoing.say(messages.permissionDenied(reasonOf(error)));
  }

  /** A document cannot go on: its provider is told, or everybody is sent to reconnect. */
  #closed(document: CollabDocument, cause: unknown): void {
    const error = asCausewayError(cause);
    const { next } = ERRORS[error.code];
    if (error.code === 'malformed-frame' || next === 'retry' || next === 'elsewhere') return this.fail(error);
    const { address, messages } = document;
    if (this.#isOver || this.#documents.get(address) !== document) return;
    this.#documents.delete(address);
    document.close();
    this.#outgoing.say(messages.close(reasonOf(error)));
  }

  /** What the member may reach has changed. */
  #lookAgain(): void {
    for (const document of this.#documents.values()) void document.lookAgain();
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#signInBy);
    for (const turn of this.#turns) turn.end();
    for (const document of this.#documents.values()) document.close();
    this.#documents.clear();
    this.#signedIn?.leave();
    this.#outgoing.close();
    this.#incoming.close();
  }
}

/** How an error reads where the protocol has a text only: its code comes first. */
const reasonOf = ({ code, message }: CausewayError): string => `${code}: ${message}`;
