/** Who holds which role in one region, for stores that live in one process. */
export class Leads {
  readonly #held = new Map<string, AbortController>();

  /** Runs `work` while it alone holds `role`; resolves at once when somebody else does. */
  async run(role: string, work: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.#held.has(role)) return;
    const lost = new AbortController();
    this.#held.set(role, lost);
    try {
      await work(AbortSignal.any([lost.signal, signal]));
    } finally {
      if (this.#held.get(role) === lost) this.#held.delete(role);
    }
  }

  /** Frees every role and tells its holder. */
  lose(): void {
    const held = [...this.#held.values()];
    this.#held.clear();
    for (const lost of held) lost.abort(new Error('the role was lost'));
  }
}
