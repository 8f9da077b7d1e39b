import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Order, Report, Seat } from './crowd-process.ts';

/** What it took until all were back: when each was, milliseconds of the monotonic clock. */
export type Return = { at: number[]; connections: number; cpuMs: number };

/** Sessions without screens, in processes of 5,000, see crowd-process.ts. */
export class Crowd {
  static readonly #each = 5_000;
  readonly #children: ChildProcess[];

  private constructor(children: ChildProcess[]) {
    this.#children = children;
  }

  /** Resolves when all of them are in. */
  static async open(url: string, workspace: string, seats: readonly Seat[]): Promise<Crowd> {
    const crowd = new Crowd([]);
    for (let first = 0; first < seats.length; first += Crowd.#each) {
      const child = fork(fileURLToPath(new URL('crowd-process.ts', import.meta.url)));
      crowd.#children.push(child);
      await next(child, 'ready');
      const some = seats.slice(first, first + Crowd.#each);
      const connected = next(child, 'connected');
      const from = `127.0.0.${1 + crowd.#children.length}`;
      child.send({ do: 'connect', url, workspace, seats: some, from } satisfies Order);
      await connected;
    }
    return crowd;
  }

  /** Tells all to expect the end of their connections; `back` resolves when it came and all are in again. */
  async expect(): Promise<{ back: Promise<Return> }> {
    const back = Promise.all(this.#children.map((child) => next(child, 'back')));
    const expecting = Promise.all(this.#children.map((child) => next(child, 'expecting')));
    this.#order({ do: 'expect' });
    await expecting;
    return {
      back: back.then((reports) => ({
        at: reports.flatMap(({ at }) => at),
        connections: sum(reports.map(({ connections }) => connections)),
        cpuMs: sum(reports.map(({ cpuMs }) => cpuMs)),
      })),
    };
  }

  /** Resets every connection. */
  cut(): void {
    this.#order({ do: 'cut' });
  }

  close(): void {
    for (const child of this.#children) child.disconnect();
  }

  #order(order: Order): void {
    for (const child of this.#children) child.send(order);
  }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);

async function next<W extends Report['was']>(child: ChildProcess, was: W): Promise<Report & { was: W }> {
  const ended = once(child, 'exit').then(() => {
    throw new Error('a process of sessions ended by itself');
  });
  for (;;) {
    const [report] = (await Promise.race([once(child, 'message'), ended])) as [Report];
    if (report.was === was) return report as Report & { was: W };
  }
}
