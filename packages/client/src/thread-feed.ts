import type { CausewayError } from '@causeway/protocol';
import type { ShownMessage } from './shown-messages.ts';
import { Store, type Observable } from './stores/store.ts';

export type ThreadSnapshot = {
  /** The message that the others answer; undefined when it was deleted or is not read yet. */
  root: ShownMessage | undefined;
  /** Oldest first, with what this client is about to change. */
  replies: readonly ShownMessage[];
  /** Whether there are replies before the oldest one. */
  older: 'more' | 'loading' | 'none';
  /** Why older replies could not be read. */
  error?: CausewayError;
};

type Parts = {
  /** What is known of the thread now. */
  look(): Pick<ThreadSnapshot, 'root' | 'replies'>;
  /** Hears of changes of the channel. */
  subscribe(listener: () => void): () => void;
  /** Reads the next page; resolves with whether there is another one. Rejects with a CausewayError. */
  read(): Promise<boolean>;
};

/** One thread of a channel that is open: its replies as they change, older ones by pages. */
export class ThreadFeed implements Observable<ThreadSnapshot> {
  readonly #parts: Parts;
  readonly #store: Store<ThreadSnapshot>;
  readonly #leave: () => void;
  #older: ThreadSnapshot['older'] = 'more';
  #error: CausewayError | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#store = new Store(this.#view());
    this.#leave = parts.subscribe(() => this.#changed());
    void this.loadOlder();
  }

  readonly getSnapshot = (): ThreadSnapshot => this.#store.getSnapshot();
  readonly subscribe = (listener: () => void): (() => void) => this.#store.subscribe(listener);

  /** The next page of older replies; does nothing while one is on its way or there is none. */
  async loadOlder(): Promise<void> {
    if (this.#older !== 'more') return;
    this.#older = 'loading';
    this.#error = undefined;
    this.#changed();
    try {
      this.#older = (await this.#parts.read()) ? 'more' : 'none';
    } catch (cause) {
      this.#older = 'more';
      this.#error = cause as CausewayError;
    }
    this.#changed();
  }

  close(): void {
    this.#leave();
    this.#store.close();
  }

  #changed(): void {
    this.#store.set(this.#view());
  }

  #view(): ThreadSnapshot {
    return {
      ...this.#parts.look(),
      older: this.#older,
      ...(this.#error === undefined ? {} : { error: this.#error }),
    };
  }
}
