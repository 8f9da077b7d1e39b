import { EVENT_FRAMES, PUSHES, REPLIES, type Problem } from '@causeway/protocol';
import { Compile } from 'typebox/compile';
import { WebSocket } from 'ws';

/** A frame of the door, loosely. */
export type Frame = {
  n?: number;
  event?: string;
  id?: string;
  cursor?: string;
  channel?: string;
  message?: { id: string; body: string } | string;
  re?: number;
  ack?: { id: string };
  channels?: string[];
  problem?: Problem;
  [field: string]: unknown;
};

const frames = new Map(Object.entries(EVENT_FRAMES).map(([name, schema]) => [name, Compile(schema)]));
const answers = [...Object.values(REPLIES), PUSHES.cells].map((schema) => Compile(schema));

/** A client of `/v1/events` for tests: keeps every frame, and why it was closed. Throws on a frame that the description does not know. */
export class EventsClient {
  readonly socket: WebSocket;
  readonly frames: Frame[] = [];
  readonly closed: Promise<number>;
  readonly unknown: string[] = [];
  #looks: (() => void)[] = [];

  constructor(base: string, query: Record<string, string>) {
    this.socket = new WebSocket(`${base}/v1/events?${new URLSearchParams(query).toString()}`);
    this.socket.on('error', () => undefined);
    this.socket.on('message', (data: Buffer) => this.#take(data.toString()));
    this.closed = new Promise((resolve) => this.socket.once('close', (code) => resolve(code)));
    void this.closed.then(() => this.#look());
  }

  get events(): Frame[] {
    return this.frames.filter(({ event }) => event !== undefined);
  }

  /** Of the last frame that had one. */
  get cursor(): string {
    return this.frames.findLast(({ cursor }) => cursor !== undefined)!.cursor!;
  }

  send(request: object): void {
    this.socket.send(JSON.stringify(request));
  }

  /** The first frame that is like that, also one that came already; rejects when the socket closes before. */
  async frame(is: (frame: Frame) => boolean): Promise<Frame> {
    for (;;) {
      const found = this.frames.find(is);
      if (found !== undefined) return found;
      if (this.socket.readyState === WebSocket.CLOSED) throw new Error('closed before it came');
      await new Promise<void>((resolve) => this.#looks.push(resolve));
    }
  }

  event(name: string): Promise<Frame> {
    return this.frame(({ event }) => event === name);
  }

  async request(request: { do: string; ref: number; [field: string]: unknown }): Promise<Frame> {
    this.send(request);
    return this.frame(({ re }) => re === request.ref);
  }

  async close(): Promise<void> {
    this.socket.terminate();
    await this.closed;
  }

  #take(text: string): void {
    const frame = JSON.parse(text) as Frame;
    const isKnown =
      frame.event === undefined
        ? answers.some((schema) => schema.Check(frame))
        : frames.get(frame.event)?.Check(frame) === true;
    if (!isKnown) this.unknown.push(text);
    this.frames.push(frame);
    this.#look();
  }

  #look(): void {
    for (const look of this.#looks.splice(0)) look();
  }
}
