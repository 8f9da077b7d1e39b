import { parseName, segmentName } from '@causeway/protocol';
import type { AppendQueue } from './append-queue.ts';
import type { Documents } from './documents.ts';
import type { LiveDocument } from './live-document.ts';
import type { Lookup } from './lookup.ts';
import { Unavailable, type Store, type Untidy } from './ports.ts';
import { sizeOf } from './segment.ts';
import { winningEdit, type Edit } from './union.ts';

type Parts = { store: Store; documents: Documents; lookup: Lookup; queue: AppendQueue };

/** Messages that wait for a look; more are found again in the table. */
const WAITING = 10_000;
const PAGE = 500;

/**
 * Brings the copies of a message together: a delete that reached one of them is copied into the
 * others, the edit that counts too, and what stands beside a delete is removed. Works off the
 * table of untidy messages, so a crash between an append and its tidying loses nothing.
 */
export class Tidier {
  readonly #parts: Parts;
  readonly #failed: (error: unknown) => void;
  #waiting: Untidy[] = [];
  #working: Promise<void> | undefined;

  constructor(parts: Parts, failed: (error: unknown) => void) {
    this.#parts = parts;
    this.#failed = failed;
  }

  add(rows: readonly Untidy[]): void {
    if (rows.length === 0 || this.#waiting.length > WAITING) return;
    this.#waiting.push(...rows);
    this.#working ??= this.#work().finally(() => {
      this.#working = undefined;
    });
  }

  /** What an earlier process left, or what did not fit into memory. */
  async resume(): Promise<void> {
    this.add(await this.#parts.store.untidy(PAGE));
  }

  /** Resolves when nothing is left to do. */
  async idle(): Promise<void> {
    while (this.#working !== undefined) await this.#working;
  }

  async #work(): Promise<void> {
    for (let row = this.#waiting.shift(); row !== undefined; row = this.#waiting.shift()) {
      try {
        if (!(await this.#tidy(row))) await this.#parts.store.tidied([row]);
      } catch (error) {
        // Stays in the table: the next round finds it.
        this.#failed(error);
      }
    }
  }

  /** True when something was written: that write marks the message again, and the next look finds it tidy. */
  async #tidy({ channel, id }: Untidy): Promise<boolean> {
    const { workspace, channel: channelId } = parseName(channel) as { workspace: string; channel: string };
    const held = await this.#parts.lookup.segmentsOf(channel, id);
    const names = held.map(({ segment }) => segmentName(workspace, channelId, segment));
    const lives = await Promise.all(names.map((name) => this.#parts.documents.open(name)));
    // Dropped is what a failed commit was authored into: it shows what never was.
    if (lives.some(({ dropped }) => dropped))
      throw new Unavailable('a write of this message failed meanwhile');
    // The table knows of deletes whose mark still waits in Yjs for what is missing before it.
    const deleted = held.some(({ deleted }) => deleted) || lives.some((live) => live.segment!.isDeleted(id));
    const winner = winningEdit(lives.flatMap((live) => live.segment!.copy(id).edits));
    // What was just read may be part of a commit in flight; copying what fails would make it real.
    await Promise.all(names.map((name) => this.#parts.queue.settled(name)));
    const wrote = await Promise.all(lives.map((live) => this.#bringUp(live, id, deleted, winner)));
    return wrote.includes(true);
  }

  #bringUp(live: LiveDocument, id: string, deleted: boolean, winner: Edit | undefined): Promise<boolean> {
    return this.#parts.queue.run<boolean>({
      key: live.name,
      live,
      size: sizeOf(winner?.value.b ?? ''),
      // What goes because of a deletion takes it along: the row of that may still wait, and get lost with the disk (R3).
      ...(live.segment!.isDeleted(id) ? { whole: true } : {}),
      author: (live) => {
        const segment = live!.segment!;
        if (deleted) {
          const complete = segment.isDeleted(id) && !segment.knows(id);
          if (!complete) segment.delete(id);
          return { answer: !complete };
        }
        const { posts, edits } = segment.copy(id);
        const complete =
          winner === undefined ||
          posts.length === 0 ||
          segment.isDeleted(id) ||
          edits.some(({ command }) => command === winner.command);
        if (!complete) segment.edit(id, winner.command, winner.value);
        return { answer: !complete };
      },
    });
  }
}
