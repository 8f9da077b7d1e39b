import { WorldError } from '../error.ts';

/** A process of a region, once it is ready. */
export type Process = {
  readonly pid: number;
  readonly exited: Promise<unknown>;
  stop(): Promise<void>;
  kill(): Promise<void>;
  /** Stops it where it is, with all that it started; resolves with how to let it go on. */
  pause(): Promise<() => void>;
};

export type PartState = 'stopped' | 'starting' | 'ready' | 'paused' | 'dead' | 'restarting';

export type PartOptions = {
  name: string;
  /** Resolves when the process is ready; gives up, leaving nothing, when the signal says so. */
  start(signal: AbortSignal): Promise<Process>;
  /** Whether to start it again when it ends by itself. */
  supervise: boolean;
  report(line: string): void;
};

const FIRST_BACKOFF_MS = 250;
const MAX_BACKOFF_MS = 10_000;
/** Who ran this long is forgiven its earlier deaths. */
const CALM_MS = 30_000;

/**
 * Keeps one process in the state that was asked for. Requests are carried out one after another;
 * a stop or kill does not wait for a start, it calls it off.
 */
export class Part {
  readonly #options: PartOptions;
  #state: PartState = 'stopped';
  #process: Process | undefined;
  /** Of a paused process: lets it go on. */
  #goOn: (() => void) | undefined;
  #wanted = false;
  #attempt = new AbortController();
  #readySince = 0;
  #backoffMs = FIRST_BACKOFF_MS;
  #timer: NodeJS.Timeout | undefined;
  #work: Promise<unknown> = Promise.resolve();

  constructor(options: PartOptions) {
    this.#options = options;
  }

  get state(): PartState {
    return this.#state;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  start(): Promise<void> {
    this.#wanted = true;
    clearTimeout(this.#timer);
    return this.#next(() => this.#launch());
  }

  /** As its process wants to be stopped: nothing is lost. */
  stop(): Promise<void> {
    this.#callOff();
    return this.#next(async () => {
      // It heeds nothing while it is paused.
      this.#wake();
      await this.#process?.stop();
      this.#gone('stopped');
    });
  }

  /** SIGKILL. It stays dead until `start` or `restart`. */
  kill(): Promise<void> {
    this.#callOff();
    return this.#next(async () => {
      await this.#process?.kill();
      this.#gone('dead');
    });
  }

  /** Starts it, after stopping it if it runs. */
  async restart(): Promise<void> {
    if (this.#process !== undefined) await this.stop();
    await this.start();
  }

  /** Its process stays where it is until `resume`, or until it is stopped or killed. */
  pause(): Promise<void> {
    return this.#next(async () => {
      const process = this.#process;
      if (this.#state === 'paused') return;
      if (process === undefined)
        throw new WorldError(`There is nothing to pause: ${this.#options.name} is ${this.#state}.`);
      const goOn = await process.pause();
      this.#goOn = goOn;
      if (this.#process === process) this.#state = 'paused';
      else this.#wake();
    });
  }

  resume(): Promise<void> {
    return this.#next(async () => {
      if (this.#state !== 'paused')
        throw new WorldError(`There is nothing to resume: ${this.#options.name} is ${this.#state}.`);
      this.#wake();
      this.#state = 'ready';
    });
  }

  #wake(): void {
    this.#goOn?.();
    this.#goOn = undefined;
  }

  #next(work: () => Promise<void>): Promise<void> {
    const result = this.#work.then(work);
    this.#work = result.catch(() => undefined);
    return result;
  }

  #callOff(): void {
    this.#wanted = false;
    clearTimeout(this.#timer);
    this.#attempt.abort();
  }

  #gone(state: PartState): void {
    this.#wake();
    this.#process = undefined;
    this.#state = state;
  }

  async #launch(): Promise<void> {
    if (!this.#wanted || this.#process !== undefined) return;
    this.#attempt = new AbortController();
    this.#state = 'starting';
    try {
      const process = await this.#options.start(this.#attempt.signal);
      this.#process = process;
      this.#state = 'ready';
      this.#readySince = performance.now();
      void process.exited.then(() => this.#ended(process));
    } catch (error) {
      this.#gone('dead');
      throw error;
    }
  }

  #ended(process: Process): void {
    if (this.#process !== process) return;
    this.#gone('dead');
    if (!this.#wanted) return;
    if (performance.now() - this.#readySince > CALM_MS) this.#backoffMs = FIRST_BACKOFF_MS;
    this.#options.report(`${this.#options.name} (pid ${process.pid}) ended by itself`);
    if (this.#options.supervise) this.#startLater();
  }

  #startLater(): void {
    const waitMs = this.#backoffMs;
    this.#backoffMs = Math.min(2 * waitMs, MAX_BACKOFF_MS);
    this.#state = 'restarting';
    this.#timer = setTimeout(() => {
      this.#next(() => this.#launch()).then(
        () => this.#wanted && this.#options.report(`${this.#options.name} runs again`),
        (error: Error) => {
          if (!this.#wanted) return;
          this.#options.report(`${this.#options.name} did not start again: ${error.message}`);
          this.#startLater();
        },
      );
    }, waitMs);
  }
}
