import { Worker } from 'node:worker_threads';
import type { Journal } from '../journal.ts';
import type { CrowdOptions, Order, Report } from './messages.ts';

/** The clients of all regions, in a thread of their own: the links live in this one. */
export class Crowd {
  readonly #worker: Worker;
  readonly #journal: Journal;
  #idle = Promise.withResolvers<void>();
  readonly #left = Promise.withResolvers<void>();
  readonly #failed = Promise.withResolvers<never>();

  constructor(options: CrowdOptions, journal: Journal) {
    this.#journal = journal;
    this.#worker = new Worker(new URL('crowd-worker.ts', import.meta.url), { workerData: options });
    this.#worker.on('message', (report: Report) => this.#hear(report));
    this.#worker.on('error', (error) => {
      this.#failed.reject(error);
    });
    // Whoever waits for the crowd hears of it.
    this.#failed.promise.catch(() => undefined);
  }

  work(): void {
    this.#order({ order: 'work' });
  }

  /** Nothing new; resolves when everything that was under way is answered or given up. */
  rest(): Promise<void> {
    this.#idle = Promise.withResolvers();
    this.#order({ order: 'rest' });
    const resting = Promise.race([this.#idle.promise, this.#failed.promise]);
    resting.catch(() => undefined);
    return resting;
  }

  burst(region: string, url: string, count: number): void {
    this.#order({ order: 'burst', region, url, count });
  }

  /** Closes everything. */
  async leave(): Promise<void> {
    this.#order({ order: 'leave' });
    await Promise.race([this.#left.promise, this.#failed.promise]);
    await this.#worker.terminate();
  }

  terminate(): Promise<number> {
    return this.#worker.terminate();
  }

  #order(order: Order): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
    this.#worker.postMessage(order);
  }

  #hear(report: Report): void {
    const journal = this.#journal;
    if ('operation' in report) journal.operation(report.operation);
    else if ('started' in report) journal.started += report.started;
    else if ('failed' in report) journal.failed(report.failed);
    else if ('wrote' in report) journal.wrote(report.wrote, report.document);
    else if ('removes' in report) journal.removes(report.removes);
    else if ('saw' in report) journal.saw(report.saw, report.document, report.at);
    else if ('idle' in report) this.#idle.resolve();
    else this.#left.resolve();
  }
}
