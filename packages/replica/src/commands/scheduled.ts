import {
  CausewayError,
  LIMITS,
  channelScope,
  commandId,
  memberScope,
  type CommandOf,
  type Scheduled,
} from '@causeway/protocol';
import { millisOf, orderOf } from '../hybrid-time.ts';
import type { Answer, Context } from './context.ts';
import { checkBody } from './post.ts';
import { checkRoom, set, type Change, type Room, type Seen } from './set.ts';

const ROOM: Room = {
  prefix: 'scheduled|',
  inUse: LIMITS.scheduledPerMember,
  ever: LIMITS.cellsPerMember,
  what: 'scheduled messages',
};

export const scheduledKey = (post: string): string => `scheduled|${post}`;

/**
 * Keeps a post until it is due, or moves it to another time. It has its id already: who sends it,
 * however often and from wherever, sends one message.
 */
export async function schedule(
  context: Context,
  id: string,
  command: CommandOf<'schedule'>,
): Promise<Answer> {
  const { workspace, member, post, at, v } = command;
  if (post.workspace !== workspace || post.member !== member)
    throw new CausewayError('forbidden', 'a member schedules messages of their own, in their workspace');
  if (at > millisOf(context.clock.read()) + LIMITS.scheduleAheadMs)
    throw new CausewayError(
      'invalid-request',
      `a message can be scheduled ${LIMITS.scheduleAheadMs} ms ahead`,
    );
  checkBody(post.body);
  const postId = commandId(post);
  const value: Scheduled = { post, at, region: context.region };
  const change = { key: scheduledKey(postId), v: orderOf(v, id), value };
  const sent = await context.lookup.segmentsOf(channelScope(workspace, post.channel), postId);
  return set(context, id, memberScope(workspace, member), v, [change], (each, seen) => {
    if (sent.length > 0) throw wasSent(postId);
    mustWait(each, seen);
    checkRoom(each, seen, ROOM);
  });
}

/**
 * Cancels a scheduled post. It comes too late, and says so, where the post is known to be sent; a
 * region that has not heard of either may still send it.
 */
export async function unschedule(
  context: Context,
  id: string,
  command: CommandOf<'unschedule'>,
): Promise<Answer> {
  const { workspace, member, post, v } = command;
  const scope = memberScope(workspace, member);
  const change = { key: scheduledKey(post), v: orderOf(v, id), value: null };
  const held = (await context.cells.open(scope)).get(change.key)?.value as Scheduled | null | undefined;
  // It may be sent and not noted yet.
  const sent =
    held !== null && held !== undefined && 'post' in held
      ? await context.lookup.segmentsOf(channelScope(workspace, held.post.channel), post)
      : [];
  return set(context, id, scope, v, [change], (each, seen) => {
    if (sent.length > 0) throw wasSent(post);
    if (!seen.has(each.key))
      throw new CausewayError('not-here-yet', `no scheduled post ${post} is in this region (yet)`, {
        retryAfter: 1,
      });
    mustWait(each, seen);
  });
}

function mustWait({ key }: Change, seen: Seen): void {
  const held = seen.get(key)?.value as Scheduled | null | undefined;
  if (held !== null && held !== undefined && 'sent' in held) throw wasSent(key.slice(ROOM.prefix.length));
}

const wasSent = (post: string): CausewayError =>
  new CausewayError('gone', `the post ${post} was sent already; edit or delete the message`);
