import type { CommandOf, Scheduled } from '@causeway/protocol';
import type { OwnCells } from './own-cells.ts';
import { Store, type Observable } from './store.ts';

/** A message that waits for its time. */
export type ScheduledPost = {
  /** The id that the message will have. */
  id: string;
  post: CommandOf<'post'>;
  /** Milliseconds since 1970. */
  at: number;
  /** It was due and cannot be sent. */
  failed?: string;
};

/** The messages of this member that wait for their time, the next one first. */
export class ScheduledPosts implements Observable<readonly ScheduledPost[]> {
  readonly #own: OwnCells;
  readonly #store = new Store<readonly ScheduledPost[]>([]);
  readonly #leave: () => void;

  constructor(own: OwnCells) {
    this.#own = own;
    this.#leave = own.subscribe(() => this.#changed());
  }

  readonly getSnapshot = (): readonly ScheduledPost[] => this.#store.getSnapshot();
  readonly subscribe = (listener: () => void): (() => void) => this.#store.subscribe(listener);

  close(): void {
    this.#leave();
    this.#store.close();
  }

  #changed(): void {
    const waiting = [...this.#own.getSnapshot()].flatMap(([key, value]): ScheduledPost[] => {
      const scheduled = value as Scheduled | null;
      if (!key.startsWith('scheduled|') || scheduled === null || !('post' in scheduled)) return [];
      const { post, at, failed } = scheduled;
      return [{ id: key.slice('scheduled|'.length), post, at, ...(failed === undefined ? {} : { failed }) }];
    });
    waiting.sort((a, b) => a.at - b.at);
    if (JSON.stringify(waiting) !== JSON.stringify(this.getSnapshot())) this.#store.set(waiting);
  }
}
