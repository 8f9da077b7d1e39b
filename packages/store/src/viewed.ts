import { workspaceOf, type Mentions, type Message } from '@causeway/protocol';
import type { CopyPlace, MessageRow } from '@causeway/replica';

/** What both stores keep of a message beside itself. */

/** Replies that count in a thread. */
export const REPLIES_COUNTED = 10_000;
/** In the place of a member: everybody in the channel. */
export const EVERYBODY = '*';

/** Is the message shown in the channel, and no mere reply? */
export const isCounted = ({ thread, also }: Message): boolean => thread === undefined || also === true;

/** Copies are ordered by segment. */
export const lowestSegment = ({ copies }: MessageRow): number => copies[0]!.segment;

const NOBODY: Mentions = { members: [], channel: false, here: false };

/** Most messages mention nobody, and their text says nothing of it. */
type Counting = { author: string; copies: readonly CopyPlace[]; mentions?: Mentions };

export function countingText({ message: { author }, copies, mentions }: MessageRow): string {
  const { members, channel, here } = mentions;
  const counting: Counting = {
    author,
    copies: copies.map(({ segment, client, clock }) => ({ segment, client, clock })),
  };
  if (members.length > 0 || channel || here) counting.mentions = { members, channel, here };
  return JSON.stringify(counting);
}

export function countingIn(text: string): Required<Counting> {
  return { mentions: NOBODY, ...(JSON.parse(text) as Counting) };
}

export type MentionRow = Record<(typeof MENTION_FIELDS)[number], string>;
export const MENTION_FIELDS = ['workspace', 'member', 't', 'id', 'channel', 'author'] as const;

export function mentionRows({ channel, message: { id, t, author }, mentions }: MessageRow): MentionRow[] {
  const named = new Set(mentions.members);
  if (mentions.channel || mentions.here) named.add(EVERYBODY);
  return [...named].map((member) => ({ workspace: workspaceOf(channel), member, t, id, channel, author }));
}
