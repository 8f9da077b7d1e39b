import {
  CausewayError,
  channelScope,
  commandId,
  problemOf,
  segmentName,
  type Ack,
  type Cell,
  type Command,
  type Message,
  type Request,
} from '@causeway/protocol';
import { Segment, timeOfPost } from '@causeway/replica';
import * as decoding from 'lib0/decoding';
import * as encoding from 'lib0/encoding';
import * as sync from 'y-protocols/sync';
import * as Y from 'yjs';
import { AUTH, FRAME, SCOPE, SYNC, frame, readFrame } from './link/frames.ts';

const WORKSPACE = { id: 'acme', slug: 'acme', name: 'Acme', zone: 'global', home: 'us-east', member: 'ada' };

/** A region for tests: one workspace, one channel, no time of its own. */
export class FakeRegion {
  readonly segments = new Map<number, Segment>();
  /** By name. */
  readonly canvases = new Map<string, Y.Doc>();
  /** Canvases that may be viewed only. */
  readonly viewed = new Set<string>();
  /** Documents that nobody is let into, and why: `<code>: <what to do>`. */
  readonly denied = new Map<string, string>();
  /** Tokens that nobody is let in with. */
  readonly refusedTokens = new Set<string>();
  channels = [
    { id: 'general', slug: 'general' },
    { id: 'random', slug: 'random' },
  ];
  readonly sockets: FakeSocket[] = [];
  /** While it is, no connection comes about. */
  isDown = false;
  /** While it is, nobody is let in; who waits is when `letIn` is called. */
  isBusy = false;
  readonly waiting: (() => void)[] = [];
  /** What was said by those who were not let in yet. */
  readonly early: Request[] = [];
  /** Requests of conversations, in the order in which they came. */
  readonly asked: Request[] = [];
  /** How requests are answered: the content of the reply, or a rejection; `undefined` never answers. */
  answer: (request: Request) => Record<string, unknown> | undefined = (request) => this.#usual(request);
  readonly cells: Cell[] = [];
  /** Newest first; pages are cut from it. */
  history: Message[] = [];
  /** Answers the next requests instead of the region. */
  readonly refusals: Response[] = [];
  #clock = 1_024_000_000;

  letIn(): void {
    this.isBusy = false;
    for (const admit of this.waiting.splice(0)) admit();
  }

  segment(number: number): Segment {
    let segment = this.segments.get(number);
    if (segment === undefined) this.segments.set(number, (segment = new Segment(new Y.Doc())));
    return segment;
  }

  /** Somebody posts: the text is its id too. */
  post(number: number, id: string): void {
    const t = timeOfPost(this.#clock++, 1);
    this.segment(number).post(id, t, { a: 'ada', b: id, o: 'us-east' });
  }

  /** A cell of the channel changes. */
  set(key: string, v: string, value: unknown): void {
    const cell = { scope: channelScope('acme', 'general'), key, v, value };
    this.cells.push(cell);
    this.push({ cells: [cell] });
  }

  /** Something that nobody asked for in particular. */
  push(content: Record<string, unknown>): void {
    for (const socket of this.sockets) socket.converse(content);
  }

  acknowledge(command: Command): Ack {
    return { id: commandId(command), level: 'region', token: [], clock: this.#clock };
  }

  #usual(request: Request): Record<string, unknown> {
    switch (request.do) {
      case 'command':
        return { ack: this.acknowledge(request.command) };
      case 'cells':
        return { cells: this.cells };
      case 'mine':
        return { cells: [] };
      case 'presence':
        return { presence: [] };
      case 'badges':
        return { badges: [] };
      default:
        return { done: true };
    }
  }

  fetch = async (input: unknown): Promise<Response> => {
    const refusal = this.refusals.shift();
    if (refusal !== undefined) return refusal;
    const { pathname, searchParams } = new URL(String(input));
    if (pathname.endsWith('/workspaces/acme'))
      return Response.json({ ...WORKSPACE, channels: this.channels, clock: this.#clock });
    const root = /\/messages\/(\w+)\/thread$/.exec(pathname)?.[1];
    if (root !== undefined)
      return Response.json({
        items: this.history.filter(({ thread }) => thread === root),
        root: this.history.find(({ id }) => id === root),
        clock: this.#clock,
      });
    if (!pathname.endsWith('/messages'))
      return Response.json({
        id: 'general',
        slug: 'general',
        newestSegment: this.segments.size,
        markers: [],
      });
    const from = Number(searchParams.get('cursor') ?? 0);
    const until = from + Number(searchParams.get('limit'));
    const next = until < this.history.length ? { next: String(until) } : {};
    return Response.json({ items: this.history.slice(from, until), ...next, clock: this.#clock });
  };

  documentOf(name: string): Y.Doc | undefined {
    const canvas = this.canvases.get(name);
    if (canvas !== undefined) return canvas;
    for (const [number, { doc }] of this.segments)
      if (segmentName('acme', 'general', number) === name) return doc;
    return undefined;
  }
}

/** The session's document; nothing is in it. */
const SESSION = 'acme/session';

/** The region's end and the client's end of one connection to `/v1/collab`, in one. */
export class FakeSocket extends EventTarget {
  readonly url: URL;
  /** Documents that the client is let into, and how to stop telling it of them. */
  readonly open = new Map<string, () => void>();
  readonly tokens: string[] = [];
  /** Documents that the client was let into, once for each time. */
  readonly admitted: string[] = [];
  binaryType = 'blob';
  readyState = 0;
  readonly #region: FakeRegion;

  constructor(region: FakeRegion, url: URL) {
    super();
    this.url = url;
    this.#region = region;
    region.sockets.push(this);
    queueMicrotask(() => {
      if (this.readyState !== 0) return;
      if (region.isDown) return this.close(1006);
      this.readyState = 1;
      this.dispatchEvent(new Event('open'));
    });
  }

  get names(): string[] {
    return [...this.open.keys()].filter((name) => name !== SESSION);
  }

  send(data: Uint8Array): void {
    if (this.readyState !== 1 || data.length === 1) return;
    const { name, type, from } = readFrame(data);
    if (type === FRAME.auth) {
      if (this.#region.isBusy) this.#region.waiting.push(() => this.#admit(name, from));
      else this.#admit(name, from);
      return;
    }
    if (type === FRAME.close) return this.#forget(name);
    if (!this.open.has(name)) {
      if (type === FRAME.stateless)
        this.#region.early.push(JSON.parse(decoding.readVarString(from)) as Request);
      return;
    }
    if (type === FRAME.stateless) return this.#take(name, decoding.readVarString(from));
    if (type !== FRAME.sync) return;
    const isWrite = decoding.peekVarUint(from) !== SYNC.step1;
    if (isWrite && !this.#mayWrite(name))
      return this.say(name, FRAME.syncStatus, (to) => encoding.writeVarUint(to, 0));
    const answer = encoding.createEncoder();
    sync.readSyncMessage(from, answer, this.#region.documentOf(name) ?? new Y.Doc(), this);
    if (isWrite) this.say(name, FRAME.syncStatus, (to) => encoding.writeVarUint(to, 1));
    if (encoding.hasContent(answer))
      this.say(name, FRAME.sync, (to) => encoding.writeUint8Array(to, encoding.toUint8Array(answer)));
  }

  /** The region says something about a document. */
  say(name: string, type: number, write?: (to: encoding.Encoder) => void): void {
    this.deliver(frame(name, type, write));
  }

  deliver(data: Uint8Array): void {
    if (this.readyState !== 1) return;
    const copy = data.slice().buffer;
    this.dispatchEvent(new MessageEvent('message', { data: copy }));
  }

  converse(content: Record<string, unknown>): void {
    if (this.open.has(SESSION))
      this.say(SESSION, FRAME.stateless, (to) => encoding.writeVarString(to, JSON.stringify(content)));
  }

  /** Says what the client may do with a document that it was let into. */
  grant(name: string): void {
    this.say(name, FRAME.auth, (to) => {
      encoding.writeVarUint(to, AUTH.granted);
      encoding.writeVarString(to, this.#mayWrite(name) ? SCOPE.write : SCOPE.read);
    });
  }

  /** One document ends; the others go on. */
  end(name: string, reason: string): void {
    this.#forget(name);
    this.say(name, FRAME.close, (to) => encoding.writeVarString(to, reason));
  }

  close(code = 1000, reason = ''): void {
    if (this.readyState === 3) return;
    this.readyState = 3;
    for (const name of this.open.keys()) this.#forget(name);
    this.dispatchEvent(Object.assign(new Event('close'), { code, reason }));
  }

  #admit(name: string, from: decoding.Decoder): void {
    if (this.readyState !== 1) return;
    decoding.readVarUint(from);
    const token = decoding.readVarString(from);
    this.tokens.push(token);
    const why = this.#region.refusedTokens.has(token)
      ? 'unauthorized: the token was refused'
      : this.#region.denied.get(name);
    if (why !== undefined)
      // No answer comes before its question was sent.
      return queueMicrotask(() =>
        this.say(name, FRAME.auth, (to) => {
          encoding.writeVarUint(to, AUTH.denied);
          encoding.writeVarString(to, why);
        }),
      );
    const doc = this.#region.documentOf(name);
    const update = (update: Uint8Array, origin: unknown): void => {
      if (origin !== this) this.say(name, FRAME.sync, (to) => sync.writeUpdate(to, update));
    };
    doc?.on('update', update);
    this.admitted.push(name);
    this.open.set(name, () => doc?.off('update', update));
    this.grant(name);
    // What does the client have that is not here?
    if (this.#region.canvases.has(name)) this.say(name, FRAME.sync, (to) => sync.writeSyncStep1(to, doc!));
  }

  #mayWrite(name: string): boolean {
    return this.#region.canvases.has(name) && !this.#region.viewed.has(name);
  }

  #forget(name: string): void {
    this.open.get(name)?.();
    this.open.delete(name);
  }

  #take(name: string, text: string): void {
    const request = JSON.parse(text) as Request;
    this.#region.asked.push(request);
    let content: Record<string, unknown> | undefined;
    try {
      content = this.#region.answer(request);
    } catch (cause) {
      content = { problem: problemOf(cause as CausewayError) };
    }
    if (content === undefined || request.ref === undefined) return;
    const reply = JSON.stringify({ re: request.ref, ...content });
    this.say(name, FRAME.stateless, (to) => encoding.writeVarString(to, reply));
  }
}

/** The class of a region's sockets, for the link to make. */
export const webSocketOf = (region: FakeRegion): typeof WebSocket =>
  class extends FakeSocket {
    constructor(url: string) {
      super(region, new URL(url));
    }
  } as unknown as typeof WebSocket;
