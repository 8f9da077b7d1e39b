import {
  CausewayError,
  ERRORS,
  type Ack,
  type Badge,
  type Cell,
  type Command,
  type ErrorCode,
  type Presence,
  type Problem,
  type Request,
  type Typing,
} from '@causeway/protocol';
import * as decoding from 'lib0/decoding';
import * as encoding from 'lib0/encoding';
import { FRAME } from './frames.ts';
import type { Line, Link } from './link.ts';

/** How long an answer may take, milliseconds. */
const PATIENCE_MS = 10_000;
/** Requests that wait for their answers; the region takes 500. */
const UNDER_WAY = 400;

type Ask = Request extends infer R ? (R extends unknown ? Omit<R, 'ref'> : never) : never;
/** What comes unasked, and in answers. */
export type Pushed = { cells: Cell[]; presence: Presence[]; typing: Typing; badges: Badge[] };
/** Everything that an answer may hold. */
export type Answer = Partial<Pushed & { ack: Ack; done: true; expires: number }>;

type Waiting = {
  resolve(answer: Answer): void;
  reject(error: CausewayError): void;
  timer: ReturnType<typeof setTimeout>;
};

export type ConversationEvents = {
  /** The region listens, on a new connection: it knows of nothing that was asked before. */
  joined(): void;
  left(): void;
  /** Something that comes because it was asked for, or as part of an answer. */
  pushed(push: Partial<Pushed>): void;
};

/** Requests with a number and their answers, and what comes unasked, on the link of a client. */
export class Conversation {
  readonly #line: Line;
  readonly #waiting = new Map<number, Waiting>();
  readonly #events: ConversationEvents;
  #isJoined = false;
  #last = 0;

  constructor(link: Link, name: string, events: ConversationEvents) {
    this.#events = events;
    this.#line = link.attach(name, {
      joined: () => {
        this.#isJoined = true;
        events.joined();
      },
      heard: (type, from) => {
        if (type === FRAME.stateless) this.#take(decoding.readVarString(from));
      },
      left: () => this.#left(),
    });
  }

  get isJoined(): boolean {
    return this.#isJoined;
  }

  /**
   * Asks. Rejects with `CausewayError`: what the region said; `not-ready` when nobody listens;
   * `not-committed` when no answer came, and nobody knows what became of it.
   */
  ask(request: Ask): Promise<Answer> {
    if (!this.#isJoined) return Promise.reject(new CausewayError('not-ready', 'the region does not answer'));
    if (this.#waiting.size >= UNDER_WAY)
      return Promise.reject(
        new CausewayError('rate-limited', `${UNDER_WAY} requests wait for their answers`),
      );
    const ref = ++this.#last;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#settle(ref)?.reject(unanswered()), PATIENCE_MS);
      this.#waiting.set(ref, { resolve, reject, timer });
      this.#say({ ...request, ref } as Request);
    });
  }

  /** Says what needs no answer, if somebody listens. */
  tell(request: Ask): void {
    if (this.#isJoined) this.#say(request as Request);
  }

  async execute(command: Command): Promise<Ack> {
    const { ack } = await this.ask({ do: 'command', command });
    if (ack === undefined)
      throw new CausewayError('internal', 'the region answered without an acknowledgement');
    return ack;
  }

  async cells(channel: string): Promise<Cell[]> {
    return (await this.ask({ do: 'cells', channel })).cells ?? [];
  }

  close(): void {
    this.#left();
    this.#line.close();
  }

  #say(request: Request): void {
    this.#line.send(FRAME.stateless, (to) => encoding.writeVarString(to, JSON.stringify(request)));
  }

  #take(text: string): void {
    const { re, problem, ...rest } = JSON.parse(text) as { re?: number; problem?: Problem } & Answer;
    const waiting = re === undefined ? undefined : this.#settle(re);
    if (problem !== undefined) return waiting?.reject(errorOfProblem(problem));
    this.#events.pushed(rest);
    waiting?.resolve(rest);
  }

  #settle(ref: number): Waiting | undefined {
    const waiting = this.#waiting.get(ref);
    this.#waiting.delete(ref);
    clearTimeout(waiting?.timer);
    return waiting;
  }

  #left(): void {
    if (!this.#isJoined) return;
    this.#isJoined = false;
    for (const ref of this.#waiting.keys()) this.#settle(ref)?.reject(unanswered());
    this.#events.left();
  }
}

const unanswered = (): CausewayError =>
  new CausewayError('not-committed', 'the region did not answer; the write is sent again until it does');

/** A code that this version does not know is taken by what it asks the reader to do. */
export function errorOfProblem({ code, detail, next, retryAfter, regions }: Problem): CausewayError {
  const byNext: Record<Problem['next'], ErrorCode> = {
    retry: 'not-ready',
    elsewhere: 'elsewhere',
    fix: 'invalid-request',
    stop: 'forbidden',
  };
  return new CausewayError(Object.hasOwn(ERRORS, code) ? code : (byNext[next] ?? 'internal'), detail, {
    ...(retryAfter === undefined ? {} : { retryAfter }),
    ...(regions === undefined ? {} : { regions }),
  });
}
