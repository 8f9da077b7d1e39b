import type { Store, Time } from './ports.ts';
import type { ViewPosition } from './view-position.ts';

const EVERY_MS = 5_000;
/** Marks are kept for a day. */
const KEEP_MS = 24 * 3_600_000;
/** How long the view may take to show what was there when a mark began; then the next one is tried. */
const SHOWN_WITHIN_MS = 30_000;
/** Deleted messages that are remembered, of a zone, and how many marks lie between two looks. */
const GONE = { keep: 100_000, everyMarks: 12 } as const;

type Parts = {
  store: Pick<Store, 'marking' | 'mark' | 'forgetGone'>;
  time: Time;
  /** The other regions of the zone. */
  peers: readonly string[];
  view: Pick<ViewPosition, 'reach'>;
};

/**
 * Ties numbers of commits to times every 5 s, so that who read events here can go on in another region
 * and the other way round (docs/decisions/2026-11-26-workspace.md). The process that projects does it:
 * it alone knows the view to be level with a commit when nothing is written.
 */
export class Marks {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Marks until the signal fires; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    for (let count = 0; !signal.aborted; count++) {
      await this.#parts.time.sleep(EVERY_MS, signal);
      if (signal.aborted) return;
      // A database that does not answer is noticed by those who need it; the next mark stands for this one.
      await this.#mark().catch(() => undefined);
      if (count % GONE.everyMarks === 0) await this.#parts.store.forgetGone(GONE.keep).catch(() => undefined);
    }
  }

  async #mark(): Promise<void> {
    const { store, time, peers, view } = this.#parts;
    const at = time.now();
    const { low, high, heard } = await store.marking();
    // A peer that was never heard may have anything; one whose clock is ahead has not yet written what it says.
    const sentAt = new Map(heard.map((of) => [of.peer, of.sentAt]));
    const whole = Math.max(0, Math.min(at, ...peers.map((peer) => sentAt.get(peer) ?? 0)));
    // What was applied is told of when it is in the view: the mark stands behind that.
    if (await view.reach(high, SHOWN_WITHIN_MS)) await store.mark({ at, low, whole }, at - KEEP_MS);
  }
}
