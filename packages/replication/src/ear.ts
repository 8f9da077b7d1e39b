/** An entry (encoded) as it goes round between the processes of a region. */
export type Told = { name: string; bytes: Uint8Array };

/** What waits for its listener at most; more is dropped, since the tail of the log has it. */
const HELD = { messages: 10_000, bytes: 16 * 1024 * 1024 } as const;

/** Gathers what is heard, so that the listener gets it in batches. */
export class Ear {
  readonly #later: (flush: () => void) => void;
  #listener: ((messages: readonly Told[]) => void) | undefined;
  #held: Told[] = [];
  #bytes = 0;

  /** `later` runs what it is given soon; it is called once per batch. */
  constructor(later: (flush: () => void) => void) {
    this.#later = later;
  }

  listen(listener: (messages: readonly Told[]) => void): void {
    this.#listener = listener;
  }

  /** Keeps the message, whose bytes must be nobody else's. False when it is dropped. */
  hear(message: Told): boolean {
    if (this.#listener === undefined) return false;
    if (this.#held.length >= HELD.messages || this.#bytes + message.bytes.length > HELD.bytes) return false;
    this.#bytes += message.bytes.length;
    if (this.#held.push(message) === 1) this.#later(() => this.#flush());
    return true;
  }

  /** Forgets what has not been handed on. */
  clear(): void {
    this.#held = [];
    this.#bytes = 0;
  }

  #flush(): void {
    const messages = this.#held;
    this.clear();
    if (messages.length > 0) this.#listener?.(messages);
  }
}
