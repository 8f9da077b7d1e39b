import { compareText, workspaceOf, type Message } from '@causeway/protocol';
import type {
  Awaiting,
  Before,
  Countable,
  MessagePlace,
  MessageRow,
  Projection,
  Store,
  ThreadRow,
  ViewState,
} from '@causeway/replica';
import { entryOf } from './batch.ts';
import { REPLIES_COUNTED, countingIn, countingText, isCounted, lowestSegment } from './viewed.ts';

/** Hears what a projection changed. */
export type ViewEvents = {
  message(row: MessageRow): void;
  gone(place: MessagePlace, wasShown: boolean): void;
};

/** As text where Postgres holds text: what is no JSON is lost in both. */
type Viewed = {
  channel: string;
  t: string;
  id: string;
  author: string;
  thread: string | undefined;
  text: string;
  segment: number;
  isCounted: boolean;
  counting: string;
  mentions: MessageRow['mentions'];
  build: number;
};

/** The view of messages of one zone. */
export class MemoryViews {
  readonly #channels = new Map<string, Map<string, Viewed>>();
  readonly #awaiting = new Map<string, readonly string[]>();
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

  awaiting(): Awaiting[] {
    return [...this.#awaiting]
      .sort(([a], [b]) => compareText(a, b))
      .map(([document, ids]) => ({ document, ids: [...ids] }));
  }

  project({ from, to, messages, gone, awaiting }: Projection, events: ViewEvents): boolean {
    const state = this.#state;
    if (state === undefined || state.position !== from) return false;
    const { build, rebuildTo } = state;
    // The last of those that are named twice, as one statement of Postgres would have it.
    const rows = new Map(messages.map((row) => [`${row.channel}\n${row.message.id}`, row]));
    for (const row of rows.values()) {
      const { channel, message, mentions } = row;
      const { id, t, author, thread } = message;
      const text = JSON.stringify({ ...message, reactions: undefined });
      const held = entryOf(this.#channels, channel, () => new Map<string, Viewed>());
      if (held.get(id)?.text !== text) events.message(row);
      held.set(id, {
        channel,
        t,
        id,
        author,
        thread,
        text,
        segment: lowestSegment(row),
        isCounted: isCounted(message),
        counting: countingText(row),
        mentions,
        build,
      });
    }
    for (const { channel, id, notYet } of gone) {
      const wasShown = this.#channels.get(channel)?.delete(id) === true;
      if (wasShown || notYet !== true) events.gone({ channel, id }, wasShown);
    }
    for (const { document, ids } of awaiting)
      if (ids.length === 0) this.#awaiting.delete(document);
      else this.#awaiting.set(document, [...ids]);
    state.position = to;
    if (from < rebuildTo && to >= rebuildTo) this.#sweep(build, events);
    return true;
  }

  messages(channel: string, before: Before | undefined, limit: number, thread?: string): Message[] {
    return pageOf(
      this.#of(channel).filter((message) => thread === undefined || message.thread === thread),
      before,
      limit,
    ).map(({ text }) => JSON.parse(text) as Message);
  }

  message({ channel, id }: MessagePlace): Message | undefined {
    const found = this.#channels.get(channel)?.get(id);
    return found === undefined ? undefined : (JSON.parse(found.text) as Message);
  }

  countables(
    channels: readonly { channel: string; from: number }[],
    limit: number,
  ): (Countable & { channel: string })[] {
    return channels
      .toSorted((a, b) => compareText(a.channel, b.channel))
      .flatMap(({ channel, from }) =>
        this.#of(channel)
          .filter(({ isCounted, segment }) => isCounted && segment >= from)
          .sort((a, b) => b.segment - a.segment || newestFirst(a, b))
          .slice(0, limit)
          .map(({ id, t, counting }) => ({ channel, id, t, ...countingIn(counting) })),
      );
  }

  threads(channel: string, roots: readonly string[], participants: number): ThreadRow[] {
    const wanted = new Set(roots);
    const replies = this.#of(channel).filter(({ thread }) => thread !== undefined && wanted.has(thread));
    return [...Map.groupBy(replies, ({ thread }) => thread!)].map(([root, all]) => {
      const newest = all.sort(newestFirst).slice(0, REPLIES_COUNTED);
      const lastOf = new Map(newest.toReversed().map(({ author, t }) => [author, t]));
      return {
        root,
        replies: newest.length,
        last: newest[0]!.t,
        participants: [...lastOf]
          .sort(([a, at], [b, bt]) => compareText(bt, at) || compareText(a, b))
          .slice(0, participants)
          .map(([author]) => author),
      };
    });
  }

  mentions(
    workspace: string,
    member: string,
    { named, joined }: Parameters<Store['viewMentions']>[2],
    before: Before | undefined,
    limit: number,
  ): (MessagePlace & { message: Message })[] {
    const mentioning = [...this.#channels.keys()]
      .filter((channel) => workspaceOf(channel) === workspace)
      .flatMap((channel) => this.#of(channel))
      .filter(({ channel, author, mentions: { members, ...everybody } }) => {
        if (author === member) return false;
        if (named.includes(channel) && members.includes(member)) return true;
        return joined.includes(channel) && (everybody.channel || everybody.here);
      });
    return pageOf(mentioning, before, limit).map(({ channel, id, text }) => ({
      channel,
      id,
      message: JSON.parse(text) as Message,
    }));
  }

  #of(channel: string): Viewed[] {
    return [...(this.#channels.get(channel)?.values() ?? [])];
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

function pageOf<T extends Viewed>(messages: readonly T[], before: Before | undefined, limit: number): T[] {
  return messages
    .filter((message) => before === undefined || newestFirst(before, message) < 0)
    .sort(newestFirst)
    .slice(0, limit);
}

/** As Postgres orders them: by bytes. */
const newestFirst = (a: Before, b: Before): number => compareText(b.t, a.t) || compareText(b.id, a.id);
