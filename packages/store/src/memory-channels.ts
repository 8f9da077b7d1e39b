import { compareText } from '@causeway/protocol';
import type { AuthoredIn, MessagePlace, SegmentRow, Untidy } from '@causeway/replica';
import { entryOf, widen, type SegmentChange, type Touched } from './batch.ts';

type Copies = { segments: Set<number>; deleted: Set<number> };

/** What is known of one zone's channels beside the log: segments, copies of messages, reasons to look. */
export class MemoryChannels {
  readonly #copies = new Map<string, Map<string, Copies>>();
  readonly #segments = new Map<string, Map<number, SegmentRow>>();
  readonly #untidy = new Map<string, Untidy>();
  #mark = 0;

  count(change: SegmentChange): AuthoredIn {
    const { channel } = change;
    const row = entryOf(
      entryOf(this.#segments, channel, () => new Map<number, SegmentRow>()),
      change.segment,
      (): SegmentRow => ({ segment: change.segment, posts: 0, bytes: 0, operations: 0 }),
    );
    row.posts += change.posts;
    row.bytes += change.bytes;
    row.operations += change.operations;
    widen(row, change);
    const { segment, posts, bytes, operations } = row;
    return { channel, segment, posts, bytes, operations };
  }

  /** Records a touched message; its mark when somebody has to look at it. */
  touch({ channel, id, posted, edited, deleted, deletedByPeer }: Touched): Untidy[] {
    const channelCopies = entryOf(this.#copies, channel, () => new Map<string, Copies>());
    const held = entryOf(channelCopies, id, () => ({ segments: new Set(), deleted: new Set() }));
    for (const segment of posted) held.segments.add(segment);
    for (const segment of deleted) held.deleted.add(segment);
    const places = held.segments.union(held.deleted);
    const written = posted.union(edited);
    const elsewhere = [...written.union(deleted)].some(
      (segment) => places.size > (places.has(segment) ? 1 : 0),
    );
    if (!deletedByPeer && !elsewhere && written.isDisjointFrom(held.deleted)) return [];
    const row = { channel, id, mark: ++this.#mark };
    this.#untidy.set(`${channel}\n${id}`, row);
    return [{ ...row }];
  }

  copies(messages: readonly MessagePlace[]): (MessagePlace & { segment: number; deleted: boolean })[] {
    const asked = new Map(messages.map(({ channel, id }) => [`${channel}\n${id}`, { channel, id }]));
    return [...asked.values()]
      .sort((a, b) => compareText(a.channel, b.channel) || compareText(a.id, b.id))
      .flatMap(({ channel, id }) => {
        const held = this.#copies.get(channel)?.get(id);
        if (held === undefined) return [];
        return [...held.segments.union(held.deleted)]
          .sort((a, b) => a - b)
          .map((segment) => ({ channel, id, segment, deleted: held.deleted.has(segment) }));
      });
  }

  segments(channel: string): SegmentRow[] {
    return [...(this.#segments.get(channel)?.values() ?? [])]
      .sort((a, b) => a.segment - b.segment)
      .map((row) => ({ ...row }));
  }

  untidy(limit: number): Untidy[] {
    return [...this.#untidy.values()]
      .sort((a, b) => a.mark - b.mark)
      .slice(0, limit)
      .map((row) => ({ ...row }));
  }

  tidied(rows: readonly Untidy[]): void {
    for (const { channel, id, mark } of rows) {
      const place = `${channel}\n${id}`;
      if (this.#untidy.get(place)?.mark === mark) this.#untidy.delete(place);
    }
  }
}
