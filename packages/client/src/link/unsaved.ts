/**
 * Whether a region has confirmed everything that was written into a document. What is sent on a
 * connection is answered one by one; what was written without one is part of what the region is told
 * when it says, on the next, what it has.
 */
export class Unsaved {
  #isIn = false;
  #isUntold = false;
  #unanswered = 0;

  get isNone(): boolean {
    return !this.#isUntold && this.#unanswered === 0;
  }

  joined(): void {
    this.#isIn = true;
  }

  /** Nobody knows what became of what was not answered. */
  left(): void {
    this.#isIn = false;
    this.#isUntold = !this.isNone;
    this.#unanswered = 0;
  }

  wrote(): void {
    if (this.#isIn) this.#unanswered++;
    else this.#isUntold = true;
  }

  /** It is too much to be said at once. */
  heldBack(): void {
    this.#isUntold = true;
  }

  /** The region was told all that it lacked. */
  told(): void {
    this.#isUntold = false;
    this.#unanswered++;
  }

  answered(): void {
    this.#unanswered = Math.max(0, this.#unanswered - 1);
  }
}
