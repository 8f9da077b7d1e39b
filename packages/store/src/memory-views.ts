import { compareText, type Message } from '@causeway/protocol';
import type { Projection, ViewState } from '@causeway/replica';
import { entryOf } from './batch.ts';

type Viewed = { t: string; id: string; text: string; build: number };

/** The view of messages of one zone. */
export class MemoryViews {
  readonly #channels = new Map<string, Map<string, Viewed>>();
  #state: (ViewState & { build: number }) | undefined;

  /** 0 as long as nobody asked for the state. */
  get position(): number {
    return this.#state?.position ?? 0;
  }

  state(horizon: number): ViewState {
    if (this.#state === undefined) this.rebuild(horizon);
    const { position, rebuildTo } = this.#state!;
    return { position, rebuildTo };
  }

  rebuild(horizon: number): void {
    this.#state = { position: 0, rebuildTo: horizon, build: (this.#state?.build ?? 0) + 1 };
  }

  project({ from, to, messages, gone }: Projection): boolean {
    const state = this.#state;
    if (state === undefined || state.position !== from) return false;
    const { build, rebuildTo } = state;
    for (const { channel, message } of messages) {
      const { id, t } = message;
      entryOf(this.#channels, channel, () => new Map()).set(id, {
        t,
        id,
        text: JSON.stringify({ ...message, reactions: undefined }),
        build,
      });
    }
    for (const { channel, id } of gone) this.#channels.get(channel)?.delete(id);
    state.position = to;
    if (from < rebuildTo && to >= rebuildTo) this.#sweep(build);
    return true;
  }

  messages(channel: string, before: { t: string; id: string } | undefined, limit: number): Message[] {
    return [...(this.#channels.get(channel)?.values() ?? [])]
      .filter((message) => before === undefined || newestFirst(before, message) < 0)
      .sort(newestFirst)
      .slice(0, limit)
      .map(({ text }) => JSON.parse(text) as Message);
  }

  /** What a finished rebuild has not met is no message any more. */
  #sweep(build: number): void {
    for (const messages of this.#channels.values())
      for (const message of messages.values()) if (message.build !== build) messages.delete(message.id);
  }
}

/** As Postgres orders them: by bytes. */
const newestFirst = (a: { t: string; id: string }, b: { t: string; id: string }): number =>
  compareText(b.t, a.t) || compareText(b.id, a.id);
