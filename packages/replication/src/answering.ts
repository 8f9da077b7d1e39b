import type { Operation } from '@causeway/replica';

/** The largest question and the largest answer, in bytes. */
export const ASK = { questionBytes: 16 * 1024 * 1024, answerBytes: 64 * 1024 * 1024 } as const;

/** Answers under way at once in one process, and how many questions may wait for one of them. */
const LANES = { underWay: 4, waiting: 64 } as const;

const OPERATIONS: Readonly<Record<Operation, true>> = {
  buckets: true,
  names: true,
  state: true,
  cells: true,
  holds: true,
  decide: true,
  restore: true,
  prepare: true,
  changes: true,
  heads: true,
  change: true,
  directory: true,
};
export const isOperation = (name: string): name is Operation => Object.hasOwn(OPERATIONS, name);

/** Too many questions wait already. */
export class Busy extends Error {
  override name = 'Busy';
}

/** What a process does with the questions of peers: a few at a time. */
export class Answering {
  #answer: (operation: Operation, question: Uint8Array) => Promise<Uint8Array>;
  #underWay = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(answer: (operation: Operation, question: Uint8Array) => Promise<Uint8Array>) {
    this.#answer = answer;
  }

  /** Another one answers from now on. */
  replace(answer: (operation: Operation, question: Uint8Array) => Promise<Uint8Array>): void {
    this.#answer = answer;
  }

  /** Runs `work`, which answers one question, when its turn has come; rejects with Busy. */
  async inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#underWay < LANES.underWay) this.#underWay++;
    else if (this.#waiting.length < LANES.waiting)
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else throw new Busy();
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#underWay--;
      else next();
    }
  }

  /** The answer; rejects with whatever the answerer throws, and with RangeError when it is too large. */
  async answer(operation: Operation, question: Uint8Array): Promise<Uint8Array> {
    const answer = await this.#answer(operation, question);
    if (answer.length > ASK.answerBytes) throw new RangeError(`an answer of ${answer.length} bytes`);
    return answer;
  }
}

/** What an asker may know of an error here. */
export const nameOfError = (error: unknown): string => {
  const name = error instanceof Error ? error.name : typeof error;
  return /^\w{1,64}$/.test(name) ? name : 'Error';
};
