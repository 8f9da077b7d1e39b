/** One stored message. `at` is when the broker took it, milliseconds since 1970. */
export type StoredMessage = { sequence: number; id: string; name: string; bytes: Uint8Array; at: number };

/**
 * The stream of one region as a broker keeps it: sequences from 1 that are never used twice,
 * repeats of a remembered id dropped, and an identity that a re-created stream does not share.
 */
export class MemoryStream {
  #generation = 1;
  #messages: StoredMessage[] = [];
  #lastSequence = 0;
  readonly #sequenceOfId = new Map<string, number>();
  readonly #region: string;

  constructor(region: string) {
    this.#region = region;
  }

  get identity(): string {
    return `${this.#region}@${this.#generation}`;
  }

  get lastSequence(): number {
    return this.#lastSequence;
  }

  /** `repeat`: the id is remembered, nothing is stored, and the sequence is the first one's. */
  append(message: Omit<StoredMessage, 'sequence'>): { sequence: number; repeat: boolean } {
    const known = this.#sequenceOfId.get(message.id);
    if (known !== undefined) return { sequence: known, repeat: true };
    const sequence = ++this.#lastSequence;
    this.#messages.push({ ...message, bytes: message.bytes.slice(), sequence });
    this.#sequenceOfId.set(message.id, sequence);
    return { sequence, repeat: false };
  }

  /** The messages from sequence `from` on, at most `limit` of them. */
  read(from: number, limit: number): StoredMessage[] {
    let low = 0;
    let high = this.#messages.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#messages[middle]!.sequence < from) low = middle + 1;
      else high = middle;
    }
    return this.#messages.slice(low, low + limit);
  }

  /** Deletes what lies before `sequence`, as retention does; numbering goes on. */
  purge(sequence: number): void {
    this.#messages = this.#messages.filter((message) => message.sequence >= sequence);
  }

  /**
   * Loses what lies after `sequence`, and numbers go on from there: a power cut took what the
   * broker had acknowledged but not yet on its disk. The identity stays.
   */
  rewind(sequence: number): void {
    this.#messages = this.#messages.filter((message) => message.sequence <= sequence);
    for (const [id, held] of this.#sequenceOfId) if (held > sequence) this.#sequenceOfId.delete(id);
    this.#lastSequence = Math.min(this.#lastSequence, sequence);
  }

  /** Deleted and made anew: empty, numbered from 1, another identity. */
  recreate(): void {
    this.#generation++;
    this.#messages = [];
    this.#lastSequence = 0;
    this.#sequenceOfId.clear();
  }

  /** The duplicate window has passed: a repeat of an old id is stored again. */
  forgetIds(): void {
    this.#sequenceOfId.clear();
  }
}
