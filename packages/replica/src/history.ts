import {
  channelScope,
  messageScope,
  segmentName,
  type Cell,
  type Message,
  type Page,
} from '@causeway/protocol';
import type { AppendQueue } from './append-queue.ts';
import type { Documents } from './documents.ts';
import type { LiveDocument } from './live-document.ts';
import type { SegmentRow, Store } from './ports.ts';
import type { Copy } from './segment.ts';
import { newestFirst, unionOf } from './union.ts';

/** A place in a channel: messages older than it are wanted. */
export type Before = { t: string; id: string };

type Parts = { documents: Documents; queue: AppendQueue; store: Store; now(): number };

/** Reads the messages of a channel from its segments, as committed. */
export class History {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /**
   * Up to `limit` messages, newest first, older than `before`. Segments overlap in time after a
   * cut, so they are opened from the one with the latest post downwards until no unopened one
   * can hold a message that belongs on the page.
   */
  async page(
    workspace: string,
    channel: string,
    before: Before | undefined,
    limit: number,
  ): Promise<Page<Message>> {
    const rows = (await this.#parts.store.segments(`${workspace}/channel/${channel}`))
      .filter((row) => row.last !== undefined && (before === undefined || row.first! <= before.t))
      .sort((a, b) => (a.last! < b.last! ? 1 : -1));
    const copies = new Map<string, Copy[]>();
    let messages: Message[] = [];
    for (const [at, { segment }] of rows.entries()) {
      for (const copy of await this.#committedCopies(segmentName(workspace, channel, segment)))
        copies.set(copy.id, [...(copies.get(copy.id) ?? []), copy]);
      messages = await this.#united(workspace, channel, copies, before);
      if (certain(messages, rows[at + 1]) > limit) break;
    }
    const items = messages.slice(0, limit);
    await this.#addReactions(workspace, channel, items);
    const last = items.at(-1);
    return messages.length > limit && last !== undefined
      ? { items, next: `${last.t}~${last.id}` }
      : { items };
  }

  async #united(
    workspace: string,
    channel: string,
    copies: Map<string, Copy[]>,
    before: Before | undefined,
  ): Promise<Message[]> {
    await this.#addCopiesElsewhere(workspace, channel, copies);
    const now = this.#parts.now();
    return [...copies.values()]
      .map((parts) => unionOf(parts, now))
      .filter((message) => message !== undefined)
      .filter((message) => before === undefined || newestFirst(message, before) > 0)
      .sort(newestFirst);
  }

  /** A message with a second copy in a segment that is not open yet is incomplete without it. */
  async #addCopiesElsewhere(workspace: string, channel: string, copies: Map<string, Copy[]>): Promise<void> {
    const scope = channelScope(workspace, channel);
    const held = await this.#parts.store.copies([...copies.keys()].map((id) => ({ channel: scope, id })));
    for (const [id, places] of Map.groupBy(held, ({ id }) => id)) {
      if (places.length <= copies.get(id)!.length) continue;
      const all: Copy[] = [];
      for (const { segment } of places) {
        const name = segmentName(workspace, channel, segment);
        all.push(...(await this.#committedCopies(name)).filter((copy) => copy.id === id));
      }
      copies.set(id, all);
    }
  }

  async #committedCopies(name: string): Promise<Copy[]> {
    const live = await this.#parts.documents.open(name);
    const copies = copiesIn(live);
    await this.#parts.queue.settled(name);
    return copies;
  }

  async #addReactions(workspace: string, channel: string, messages: Message[]): Promise<void> {
    const byScope = new Map(
      messages.map((message) => [messageScope(workspace, channel, message.id), message]),
    );
    const cells = await this.#parts.store.loadCells([...byScope.keys()]);
    for (const [scope, group] of Map.groupBy(cells, (cell) => cell.scope)) {
      const reactions = reactionsIn(group);
      if (Object.keys(reactions).length > 0) byScope.get(scope)!.reactions = reactions;
    }
  }
}

/** How many messages are newer than anything that the segments not opened yet can hold. */
function certain(messages: readonly Message[], next: SegmentRow | undefined): number {
  if (next === undefined) return Number.POSITIVE_INFINITY;
  const until = messages.findIndex(({ t }) => t <= next.last!);
  return until < 0 ? messages.length : until;
}

/** All that a segment knows of its messages, the deleted ones included. */
export function copiesIn(live: LiveDocument): Copy[] {
  const segment = live.segment!;
  const ids = new Set([...segment.ids(), ...segment.deletedIds()]);
  return [...ids].map((id) => segment.copy(id));
}

/** Members by emoji, from the cells of one message. */
export function reactionsIn(cells: readonly Pick<Cell, 'key' | 'value'>[]): Record<string, string[]> {
  const reactions: Record<string, string[]> = {};
  for (const { key, value } of cells) {
    // The emoji may hold a bar, a member id cannot.
    const bar = key.lastIndexOf('|');
    if (value === true) (reactions[key.slice(0, bar)] ??= []).push(key.slice(bar + 1));
  }
  return reactions;
}
