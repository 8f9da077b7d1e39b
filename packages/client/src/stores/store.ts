import { Listeners } from '../listeners.ts';

/** A value that can be looked at and heard of; it is replaced, never changed. Fits React's `useSyncExternalStore`. */
export type Observable<T> = { getSnapshot(): T; subscribe(listener: () => void): () => void };

/** One value, set by its owner. */
export class Store<T> implements Observable<T> {
  readonly #listeners = new Listeners();
  #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  readonly getSnapshot = (): T => this.#value;
  readonly subscribe = (listener: () => void): (() => void) => this.#listeners.add(listener);

  set(value: T): void {
    if (value === this.#value) return;
    this.#value = value;
    this.#listeners.tell();
  }

  /** Nobody hears of it any more. */
  close(): void {
    this.#listeners.clear();
  }
}
