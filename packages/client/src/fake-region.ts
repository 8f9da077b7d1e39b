import { channelScope, segmentName, type Cell, type Message } from '@causeway/protocol';
import { Segment, timeOfPost } from '@causeway/replica';
import * as decoding from 'lib0/decoding';
import * as encoding from 'lib0/encoding';
import * as sync from 'y-protocols/sync';
import * as Y from 'yjs';

const SYNC = 0;
const CELLS = 100;

/** A region for tests: one workspace, one channel, no time of its own. */
export class FakeRegion {
  readonly segments = new Map<number, Segment>();
  /** By name. */
  readonly canvases = new Map<string, Y.Doc>();
  /** Documents at which sockets are closed with a code and a reason, when they open. */
  readonly closed = new Map<string, [code: number, reason: string]>();
  readonly sockets: FakeSocket[] = [];
  readonly cells: Cell[] = [];
  /** Newest first; pages are cut from it. */
  history: Message[] = [];
  /** Answers the next requests instead of the region. */
  readonly refusals: Response[] = [];
  #clock = 1_024_000_000;

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
    for (const socket of this.sockets) socket.tell([cell]);
  }

  readonly fetch = async (input: unknown): Promise<Response> => {
    const refusal = this.refusals.shift();
    if (refusal !== undefined) return refusal;
    const { pathname, searchParams } = new URL(String(input));
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

  documentOf(name: string): Y.Doc {
    const canvas = this.canvases.get(name);
    if (canvas !== undefined) return canvas;
    for (const [number, { doc }] of this.segments)
      if (segmentName('acme', 'general', number) === name) return doc;
    throw new Error(`no ${name}`);
  }
}

/** The region's end and the client's end of one connection, in one. */
export class FakeSocket {
  readonly OPEN = 1;
  readonly name: string;
  readonly url: URL;
  readyState = 0;
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: Uint8Array }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  readonly #doc: Y.Doc;

  constructor(region: FakeRegion, url: URL) {
    this.url = url;
    this.name = url.pathname.slice('/v1/sync/'.length);
    this.#doc = region.documentOf(this.name);
    region.sockets.push(this);
    queueMicrotask(() => {
      if (this.readyState !== 0) return;
      this.readyState = 1;
      this.onopen?.();
      const end = region.closed.get(this.name);
      if (end !== undefined) return this.close(...end);
      if (region.canvases.has(this.name)) this.#ask();
      else this.tell(region.cells);
    });
    this.#doc.on('update', this.#update);
  }

  /** What does the client have that is not here? */
  #ask(): void {
    this.#say((to) => {
      encoding.writeVarUint(to, SYNC);
      sync.writeSyncStep1(to, this.#doc);
    });
  }

  send(data: Uint8Array): void {
    if (this.readyState !== 1) return;
    const from = decoding.createDecoder(data);
    if (decoding.readVarUint(from) !== SYNC) return;
    this.#say((to) => {
      encoding.writeVarUint(to, SYNC);
      sync.readSyncMessage(from, to, this.#doc, this);
    });
  }

  tell(cells: readonly Cell[]): void {
    this.#say((to) => {
      encoding.writeVarUint(to, CELLS);
      encoding.writeVarString(to, JSON.stringify(cells));
    });
  }

  /** The region speaks `frame`. */
  say(frame: Uint8Array): void {
    if (this.readyState === 1) this.onmessage?.({ data: frame });
  }

  close(code = 1000, reason = ''): void {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.#doc.off('update', this.#update);
    this.onclose?.({ code, reason });
  }

  readonly #update = (update: Uint8Array): void =>
    this.#say((to) => {
      encoding.writeVarUint(to, SYNC);
      sync.writeUpdate(to, update);
    });

  #say(write: (to: encoding.Encoder) => void): void {
    const to = encoding.createEncoder();
    write(to);
    // Only a question has an answer.
    if (encoding.length(to) > 1) this.say(encoding.toUint8Array(to));
  }
}

/** The class of a region's sockets, for the provider to make. */
export const webSocketOf = (region: FakeRegion): typeof WebSocket =>
  class extends FakeSocket {
    constructor(url: string) {
      super(region, new URL(url));
    }
  } as unknown as typeof WebSocket;
