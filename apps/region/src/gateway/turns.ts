/** Pieces of work under way at once, and begun in one turn of the event loop. */
const AT_ONCE = 16;
/** The same while connections come in: Node accepts one in a turn, and who is waited for stands among them. */
const WHILE_ACCEPTING = 1;
/** Of so many beginnings one goes to the last rank that waits, so that none waits for ever. */
const SHARE = 4;

/** `ahead`: a person waits for it. `going on`: it completes what was begun. `arriving`: all the rest. */
const RANKS = ['ahead', 'going on', 'arriving'] as const;
export type Rank = (typeof RANKS)[number];

/** A place in the line. */
export type Turn = {
  /** Resolves when the work may begin, or is not wanted any more. */
  readonly come: Promise<void>;
  /** Somebody waits for it now. */
  hurry(): void;
  /** It is done, or is not wanted any more. */
  end(): void;
};

/**
 * What arriving clients cost, sixteen pieces at a time: their sign-ins, and what each asks for first.
 * When a process starts and ten thousand come back at once, all that they want would stand before the
 * acknowledgement of any write, in the event loop and at the database (PAINS 15). So it stands here, and
 * a command, which takes no turn, meets no more than sixteen pieces anywhere.
 *
 * Who waits holds one socket and a few bytes; those who leave give up their place.
 */
export class Turns {
  readonly #waiting: Record<Rank, Set<() => void>> = {
    'ahead': new Set(),
    'going on': new Set(),
    'arriving': new Set(),
  };
  #underWay = 0;
  #begun = 0;
  #room = AT_ONCE;
  #hasAccepted = false;
  #beginnings = 0;
  #isDue = false;

  get underWay(): number {
    return this.#underWay;
  }

  get waiting(): number {
    return RANKS.reduce((sum, rank) => sum + this.#waiting[rank].size, 0);
  }

  /** A connection came in. */
  accepted(): void {
    this.#hasAccepted = true;
    this.#room = WHILE_ACCEPTING;
    this.#renewSoon();
  }

  /** A place in the line; it has to be ended. */
  wait(rank: Rank): Turn {
    const { promise, resolve } = Promise.withResolvers<void>();
    let state: Rank | 'under way' | 'over' = rank;
    const begin = (): void => {
      state = 'under way';
      this.#underWay++;
      resolve();
    };
    this.#waiting[rank].add(begin);
    this.#beginSome();
    return {
      come: promise,
      hurry: () => {
        if (state !== 'going on' && state !== 'arriving') return;
        this.#waiting[state].delete(begin);
        this.#waiting[(state = 'ahead')].add(begin);
      },
      end: () => {
        if (state === 'over') return;
        if (state === 'under way') this.#underWay--;
        else this.#waiting[state].delete(begin);
        state = 'over';
        resolve();
        this.#beginSome();
      },
    };
  }

  /** Carries out a piece of work in its turn. */
  async take<T>(rank: Rank, work: () => Promise<T>): Promise<T> {
    const turn = this.wait(rank);
    try {
      await turn.come;
      return await work();
    } finally {
      turn.end();
    }
  }

  #beginSome(): void {
    while (this.#underWay < AT_ONCE && this.#begun < this.#room) {
      const next = this.#next();
      if (next === undefined) return;
      this.#begun++;
      this.#renewSoon();
      next();
    }
  }

  /** What came in meanwhile, commands among it, is looked at before the next ones begin. */
  #renewSoon(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    setImmediate(() => {
      this.#isDue = false;
      this.#begun = 0;
      this.#room = this.#hasAccepted ? WHILE_ACCEPTING : AT_ONCE;
      if (this.#hasAccepted) this.#renewSoon();
      this.#hasAccepted = false;
      this.#beginSome();
    });
  }

  #next(): (() => void) | undefined {
    const waiting = RANKS.filter((rank) => this.#waiting[rank].size > 0);
    if (waiting.length === 0) return undefined;
    const rank = waiting.at(++this.#beginnings % SHARE === 0 ? -1 : 0)!;
    const [begin] = this.#waiting[rank];
    this.#waiting[rank].delete(begin!);
    return begin;
  }
}
