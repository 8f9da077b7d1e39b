import type { NatsBusOptions } from '@causeway/replication';
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Order, Report } from './presence-process.ts';

/** One process of a region, see presence-process.ts. */
export class Server {
  readonly states = new Map<string, { state: string; at: number }>();
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on('message', (report: Report) => {
      if (report.was !== 'seen') return;
      for (const { member, state } of report.states) this.states.set(member, { state, at: report.at });
      child.emit('seen');
    });
  }

  static async start(options: NatsBusOptions): Promise<Server> {
    const child = fork(fileURLToPath(new URL('presence-process.ts', import.meta.url)), [
      JSON.stringify(options),
    ]);
    const server = new Server(child);
    await server.next('ready');
    return server;
  }

  order(order: Order): void {
    this.#child.send(order);
  }

  async next<W extends Report['was']>(was: W): Promise<Report & { was: W }> {
    for (;;) {
      const [report] = (await once(this.#child, 'message')) as [Report];
      if (report.was === was) return report as Report & { was: W };
    }
  }

  /** Resolves when what it sees is so. */
  async sees(holds: (states: Server['states']) => boolean): Promise<void> {
    const patience = AbortSignal.timeout(20_000);
    while (!holds(this.states)) await once(this.#child, 'seen', { signal: patience });
  }

  /** CPU that it uses from now on, milliseconds. */
  async cpuOver(quietMs: number): Promise<number> {
    const before = await this.#cpu();
    await pause(quietMs);
    return (await this.#cpu()) - before;
  }

  stop(): void {
    this.#child.disconnect();
  }

  async #cpu(): Promise<number> {
    const used = this.next('cpu');
    this.order({ do: 'cpu' });
    return (await used).ms;
  }
}
