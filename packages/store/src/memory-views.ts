import { compareText, type Message } from '@causeway/protocol';
import type { MessagePlace, MessageRow, Projection, ViewState } from '@causeway/replica';
import { entryOf } from './batch.ts';

/** Hears what a projection changed. */
export type ViewEvents = {
  message(row: MessageRow): void;
  gone(place: MessagePlace, wasShown: boolean): void;
};

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

  project({ from, to, messages, gone }: Projection, events: ViewEvents): boolean {
    const state = this.#state;
    if (state === undefined || state.position !== from) return false;
    const { build, rebuildTo } = state;
    // The last of those that are named twice, as one statement of Postgres would have it.
    const rows = new Map(messages.map((row) => [`${row.channel}\n${row.message.id}`, row]));
    for (const row of rows.values()) {
      const { channel, message } = row;
      const { id, t } = message;
      const text = JSON.stringify({ ...message, reactions: undefined });
      const held = entryOf(this.#channels, channel, () => new Map<string, Viewed>());
      if (held.get(id)?.text !== text) events.message(row);
      held.set(id, { t, id, text, build });
    }
    for (const { channel, id, notYet } of gone) {
      const wasShown = this.#channels.get(channel)?.delete(id) === true;
      if (wasShown || notYet !== true) events.gone({ channel, id }, wasShown);
    }
    state.position = to;
    if (from < rebuildTo && to >= rebuildTo) this.#sweep(build, events);
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
  #sweep(build: number, events: ViewEvents): void {
    for (const [channel, messages] of this.#channels)
      for (const { id, build: of } of messages.values()) {
        if (of === build) continue;
        messages.delete(id);
        events.gone({ channel, id }, true);
      }
  }
}

/** As Postgres orders them: by bytes. */
const newestFirst = (a: { t: string; id: string }, b: { t: string; id: string }): number =>
  compareText(b.t, a.t) || compareText(b.id, a.id);
