import { CausewayError, channelScope, memberScope, segmentName, type CommandOf } from '@causeway/protocol';
import * as Y from 'yjs';
import { countOrder, orderOf } from '../hybrid-time.ts';
import { highestTop, lowestTop } from '../segment-rule.ts';
import type { Answer, Context } from './context.ts';
import { checkTitle, set, type Change } from './set.ts';

/** The topic or the purpose of a channel: the larger `v` wins. */
export function describe(
  context: Context,
  id: string,
  command: CommandOf<'topic'> | CommandOf<'purpose'>,
): Promise<Answer> {
  const { kind, workspace, channel, member, v } = command;
  const text = checkTitle(kind === 'topic' ? command.topic : command.purpose, `a ${kind}`);
  const change = { key: kind, v: orderOf(v, id), value: { text, by: member } };
  return set(context, id, channelScope(workspace, channel), v, [change]);
}

/**
 * Moves a member's read markers: per segment and author clientID the clock up to which it was on
 * screen. They only grow. Segments below every region's `top` get no more posts and count as
 * read, so their markers are not kept.
 */
export async function read(context: Context, id: string, command: CommandOf<'read'>): Promise<Answer> {
  const { workspace, channel, member } = command;
  const tops = await context.cells.open(channelScope(workspace, channel));
  const [closed, highest] = [lowestTop(tops, context.regions), highestTop(tops.values())];
  const changes: Change[] = [];
  for (const { segment, client, clock } of command.markers) {
    // At 0 nothing was on screen; kept, such markers would fill the table.
    if (segment < closed || clock === 0) continue;
    if (segment > highest || clock > (await heldOf(context, workspace, channel, segment, client)))
      throw new CausewayError(
        'not-here-yet',
        `segment ${segment} has not reached ${clock} of ${client} in this region; try again in a moment`,
        { retryAfter: 1 },
      );
    changes.push({ key: `read|${channel}|${segment}|${client}`, v: countOrder(clock), value: 1 });
  }
  return set(context, id, memberScope(workspace, member), undefined, changes);
}

async function heldOf(
  context: Context,
  workspace: string,
  channel: string,
  segment: number,
  client: number,
): Promise<number> {
  const live = await context.documents.open(segmentName(workspace, channel, segment));
  return Y.getState(live.doc.store, client);
}
