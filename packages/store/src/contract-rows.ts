import { mentionsIn, type Entry, type Message } from '@causeway/protocol';
import type { ApplyBatch, MessagePlace, MessageRow, Row, SegmentIndex } from '@causeway/replica';

/* What the contract suites write into stores. */

export const CHANNEL = 'acme/channel/general';
export const places = (channel: string, ...ids: string[]): MessagePlace[] =>
  ids.map((id) => ({ channel, id }));
export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
export const segment = (number: number): string => `acme/segment/general/${number}`;

export const update = (name: string, content: string, index?: SegmentIndex): Row => ({
  entry: { kind: 'update', name, bytes: bytes(content) },
  ...(index === undefined ? {} : { index }),
});

/** An update of a segment of #general; `t` of a post is `t-<id>`. */
export const write = (
  number: number,
  { posts = [], edits = [], deletes = [] }: { posts?: string[]; edits?: string[]; deletes?: string[] },
  content = 'update',
): Row =>
  update(segment(number), content, {
    channel: CHANNEL,
    segment: number,
    posts: posts.map((id) => ({ id, t: `t-${id}` })),
    edits,
    deletes,
    operations: posts.length + edits.length + deletes.length,
  });

export const cells = (scope: string, ...list: [key: string, v: string, value: unknown][]): Row => ({
  entry: { kind: 'cells', scope, cells: list.map(([key, v, value]) => ({ key, v, value })) },
});

export const batch = (more: Partial<ApplyBatch> = {}): ApplyBatch => ({
  peer: 'eu-west',
  cursor: { incarnation: 'one', sequence: 1, messageId: 'one-1' },
  rows: [],
  own: [],
  parked: [],
  ...more,
});

/** Of a stream that nobody adopted: published() records nothing. */
export const into = { incarnation: 'none', sequence: 1 };
export const everything = { olderThanMs: 0, limit: 10_000 };
export const entriesOf = (rows: readonly { entry: Entry }[]): Entry[] => rows.map(({ entry }) => entry);
export const idsOf = (rows: readonly { id: string }[]): string[] => rows.map(({ id }) => id).sort();

/** A message of the view; `in` names the segments of its copies, all by one author at one clock. */
export function messageRow(
  id: string,
  t: string,
  {
    in: segments = [1],
    channel = CHANNEL,
    ...fields
  }: Partial<Message> & { in?: number[]; channel?: string } = {},
): MessageRow {
  const message = { id, author: 'ada', body: id, t, at: 1, region: 'us-east', ...fields };
  const copies = segments.map((segment) => ({ segment, client: 2 ** 53 - 1, clock: 7 }));
  return { channel, message, mentions: mentionsIn(message.body), copies };
}
