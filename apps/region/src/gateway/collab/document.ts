import { CausewayError } from '@causeway/protocol';
import type { Access, Opened } from '../../access.ts';
import type { Metrics } from '../../metrics.ts';
import type { Identity, Tokens } from '../../tokens.ts';
import { AwarenessSubscription } from '../awareness-subscription.ts';
import { Conversation } from '../conversation/conversation.ts';
import { DocumentSubscription, isEmptyUpdate } from '../document-subscription.ts';
import { existingDocument } from '../existing-document.ts';
import type { BadgeBoards } from '../conversation/badge-boards.ts';
import type { ChannelCells } from '../conversation/channel-cells.ts';
import type { RateLimits } from '../limits.ts';
import type { Outgoing } from '../outgoing.ts';
import type { AwarenessRooms } from '../awareness.ts';
import type { Turns } from '../turns.ts';
import type { Message, Messages } from './messages.ts';

export type CollabDocumentParts = {
  address: string;
  messages: Messages;
  outgoing: Outgoing;
  tokens: Tokens;
  access: Access;
  metrics: Metrics;
  limits: RateLimits;
  badges: BadgeBoards;
  cells: ChannelCells;
  turns: Turns;
  rooms: AwarenessRooms;
  /** Can the client read what is deflated? */
  inflates(): boolean;
  /** See Incoming.hold. */
  hold(bytes: number): () => void;
  /** It cannot go on, for this reason. */
  closed(cause: unknown): void;
};

type Content = Exclude<Message, { kind: 'pong' | 'auth' | 'close' }>;

/** What an open document is. */
type Open = {
  opened: Opened;
  identity: Identity;
  /** The document's full name; nothing for the session's own, which holds nothing. */
  name: string | undefined;
  isCanvas: boolean;
  isWritable: boolean;
  subscription: DocumentSubscription | undefined;
  /** Those who may only look at a canvas are seen in it too. */
  awareness: AwarenessSubscription | undefined;
  /** Ends hearing of rights. */
  unwatch(): void;
};

type Checked = Pick<Open, 'opened' | 'identity' | 'name' | 'isCanvas' | 'isWritable'>;

const SESSION = /^([^/]+)\/session$/;
const NOTHING = Uint8Array.of(0);
const NO_UPDATE = Uint8Array.of(0, 0);

/** One document on one socket of the `/v1/collab` door, as a Hocuspocus provider sees it. */
export class CollabDocument {
  readonly #parts: CollabDocumentParts;
  readonly #documentName: string;
  #open: Open | undefined;
  #conversation: Conversation | undefined;
  readonly #early: { message: Content; done(): void }[] = [];
  #isAnswering = false;
  #isClosed = false;

  constructor(parts: CollabDocumentParts) {
    this.#parts = parts;
    [this.#documentName = ''] = parts.address.split('\0');
  }

  get address(): string {
    return this.#parts.address;
  }

  get messages(): Messages {
    return this.#parts.messages;
  }

  get isOpen(): boolean {
    return this.#open !== undefined;
  }

  /** When the token expires that the conversation was shown last, milliseconds since 1970; 0 without one. */
  get expires(): number {
    return this.#conversation?.expires ?? 0;
  }

  /** Rejects with why this member cannot have it here. */
  async open(identity: Identity): Promise<void> {
    const open = SESSION.test(this.#documentName)
      ? await this.#openSession(identity)
      : await this.#openDocument(identity);
    if (this.#isClosed) return letGo(open);
    this.#open = open;
    const { outgoing, messages } = this.#parts;
    outgoing.say(messages.authenticated(open.isWritable));
    if (open.name === undefined) this.#converse(open);
    try {
      for (const { message, done } of this.#early.splice(0)) {
        done();
        this.take(message);
      }
    } catch (error) {
      this.#parts.closed(error);
    }
  }

  take(message: Content): void {
    if (this.#isClosed) return;
    if (this.#open === undefined) this.#early.push({ message, done: this.#parts.hold(sizeOf(message)) });
    else this.#act(this.#open, message);
  }

  /** Asks again whether the member may have it, and write it. Never rejects. */
  async lookAgain(): Promise<void> {
    // One that is opening asks at its end.
    if (this.#open !== undefined) await this.#lookAt(this.#open);
  }

  async #lookAt(open: Open): Promise<void> {
    try {
      const { isWritable } = await this.#check(open.identity);
      await this.#allow(open, isWritable);
    } catch (error) {
      if (!this.#isClosed) this.#parts.closed(error);
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const { done } of this.#early.splice(0)) done();
    this.#conversation?.close();
    if (this.#open !== undefined) letGo(this.#open);
  }

  /** The document that the conversation of a socket has to itself: it holds nothing and takes nothing. */
  async #openSession(identity: Identity): Promise<Open> {
    return {
      ...(await this.#check(identity)),
      subscription: undefined,
      awareness: undefined,
      unwatch: () => undefined,
    };
  }

  async #openDocument(identity: Identity): Promise<Open> {
    const { outgoing, messages, rooms, inflates, closed } = this.#parts;
    const checked = await this.#check(identity);
    const { replica } = checked.opened;
    const document = checked.name!;
    const subscription = await DocumentSubscription.open({
      replica,
      document,
      member: identity.member,
      outgoing,
      updateMessage: messages.update,
      answerMessage: (update) => (inflates() ? messages.deflatedStep2(update) : messages.step2(update)),
      dropped: (why) =>
        closed(why ?? new CausewayError('not-committed', 'a write failed; reconnect to go on')),
    });
    const unwatch = replica.rights.watch(document, () => void this.#lookAt(open));
    const open: Open = { ...checked, subscription, awareness: undefined, unwatch };
    try {
      // Once more: what changed while it was loaded was told to nobody.
      open.isWritable = (await this.#check(identity)).isWritable;
    } catch (error) {
      letGo(open);
      throw error;
    }
    if (this.#isClosed || !open.isCanvas) return open;
    const { member } = identity;
    open.awareness = new AwarenessSubscription({
      rooms,
      document,
      member,
      outgoing,
      message: messages.awareness,
    });
    return open;
  }

  /** What the member may do with it now. */
  async #check(identity: Identity): Promise<Checked> {
    const { access } = this.#parts;
    const workspace = SESSION.exec(this.#documentName)?.[1];
    if (workspace !== undefined)
      return {
        opened: await access.workspace(identity, workspace),
        identity,
        name: undefined,
        isCanvas: false,
        isWritable: false,
      };
    const { name, ...opened } = await access.document(identity, this.#documentName);
    const document = await existingDocument(opened.replica, name);
    const isCanvas = name.kind === 'canvas';
    const isWritable =
      isCanvas && (await opened.replica.rights.of(name.workspace, name.canvas, identity.member)) === 'edit';
    return { opened, identity, name: document, isCanvas, isWritable };
  }

  /** Tells a client that it may write from now on, or may not; and asks for what it wrote before it might. */
  async #allow(open: Open, isWritable: boolean): Promise<void> {
    if (this.#isClosed || open.isWritable === isWritable) return;
    open.isWritable = isWritable;
    const { outgoing, messages } = this.#parts;
    outgoing.say(messages.authenticated(isWritable));
    if (!isWritable || open.subscription === undefined) return;
    const ours = await open.subscription.stateVector();
    if (!this.#isClosed) outgoing.say(messages.step1(ours));
  }

  #act(open: Open, message: Content): void {
    switch (message.kind) {
      case 'step1':
        void this.#answer(open, message.stateVector);
        break;
      case 'update':
        void this.#write(open, message.bytes);
        break;
      case 'awareness':
        if (open.awareness?.announce(message.payload) === false)
          throw new CausewayError('malformed-frame', 'the awareness message is malformed or too large');
        break;
      case 'query-awareness':
        if (open.awareness !== undefined) this.#parts.outgoing.owe(open.awareness);
        break;
      case 'stateless':
        this.#converse(open).take(message.text);
        break;
    }
  }

  /** What the client lacks, by and by, and at once what we have: it then sends what we lack. Never rejects. */
  async #answer({ subscription }: Open, stateVector: Uint8Array): Promise<void> {
    const { outgoing, messages, closed } = this.#parts;
    if (subscription === undefined) {
      outgoing.say(messages.step2(NO_UPDATE));
      outgoing.say(messages.step1(NOTHING));
      return;
    }
    try {
      subscription.ask(stateVector);
      // Several questions at once are answered by what we have after the last of them.
      if (this.#isAnswering) return;
      this.#isAnswering = true;
      const ours = await subscription.stateVector();
      if (!this.#isClosed) outgoing.say(messages.step1(ours));
    } catch (error) {
      closed(error);
    } finally {
      this.#isAnswering = false;
    }
  }

  /** Says after the commit that it is committed (R2). Never rejects. */
  async #write({ opened, identity, name, isWritable, subscription }: Open, bytes: Uint8Array): Promise<void> {
    const { outgoing, messages, hold, closed } = this.#parts;
    const done = hold(bytes.length);
    try {
      let isCommitted = isEmptyUpdate(bytes);
      if (!isCommitted && isWritable) {
        await opened.replica.writeCanvas(name!, bytes, identity.member);
        isCommitted = true;
      } else if (!isCommitted && subscription !== undefined) isCommitted = await subscription.holds(bytes);
      if (!this.#isClosed) outgoing.say(messages.syncStatus(isCommitted));
    } catch (error) {
      closed(error);
    } finally {
      done();
    }
  }

  /** The conversation that goes on in this document's stateless messages. */
  #converse({ opened, identity }: Open): Conversation {
    const { outgoing, messages, inflates } = this.#parts;
    return (this.#conversation ??= new Conversation({
      ...this.#parts,
      opened,
      identity,
      say: (json, urgency) => {
        const message = messages.stateless(JSON.stringify(json));
        // What is pushed goes to many at once, and is small.
        outgoing.say(urgency === 'now' && inflates() ? messages.deflated(message) : message, urgency);
      },
    }));
  }
}

function letGo({ subscription, awareness, unwatch }: Open): void {
  unwatch();
  subscription?.close();
  awareness?.close();
}

const sizeOf = (message: Content): number => {
  switch (message.kind) {
    case 'step1':
      return message.stateVector.length;
    case 'update':
      return message.bytes.length;
    case 'awareness':
      return message.payload.length;
    case 'stateless':
      return message.text.length;
    case 'query-awareness':
      return 0;
  }
};
