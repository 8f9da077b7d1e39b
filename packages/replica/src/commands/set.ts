import {
  CausewayError,
  LIMITS,
  canvasesScope,
  channelScope,
  memberScope,
  messageScope,
  segmentName,
  type Cell,
  type CommandOf,
  type Token,
} from '@causeway/protocol';
import * as Y from 'yjs';
import { cellsEntry, wins } from '../cells.ts';
import { countOrder, numberInOrder, orderOf } from '../hybrid-time.ts';
import { highestTop, lowestTop } from '../segment-rule.ts';
import { gone, notHereYet } from './change.ts';
import type { Answer, Context } from './context.ts';
import { checkText } from './post.ts';

type Change = Omit<Cell, 'scope'>;

/** A reaction of one member with one emoji: on or off, the larger `v` wins. */
export async function react(context: Context, id: string, command: CommandOf<'react'>): Promise<Answer> {
  const { workspace, channel, message, emoji, member, on, v } = command;
  checkText(emoji, 'the emoji');
  const held = await context.lookup.segmentsOf(channelScope(workspace, channel), message);
  if (held.length === 0) throw notHereYet(message);
  if (held.some(({ deleted }) => deleted)) throw gone(message);
  const key = `${emoji}|${member}`;
  return set(context, id, messageScope(workspace, channel, message), v, [
    { key, v: orderOf(v, id), value: on },
  ]);
}

export function topic(context: Context, id: string, command: CommandOf<'topic'>): Promise<Answer> {
  const { workspace, channel, member, v } = command;
  const text = checkTitle(command.topic, 'a topic');
  const value = { text, by: member };
  return set(context, id, channelScope(workspace, channel), v, [{ key: 'topic', v: orderOf(v, id), value }]);
}

/** Adds a canvas to the workspace's list; its id is the id of the command. */
export function canvas(context: Context, id: string, command: CommandOf<'canvas'>): Promise<Answer> {
  const { workspace, member, v } = command;
  const title = checkTitle(command.title, 'a title');
  const value = { title, author: member };
  return set(context, id, canvasesScope(workspace), v, [{ key: `canvas|${id}`, v: orderOf(v, id), value }]);
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

/**
 * Changes cells of one scope. `v` is the client's hybrid time, checked against the clock and what
 * is held, or absent for cells that count. What loses against the held value is not written.
 */
async function set(
  context: Context,
  id: string,
  scope: string,
  v: number | undefined,
  changes: readonly Change[],
): Promise<Answer> {
  const held = await context.cells.open(scope);
  const token: Token = changes.map(({ key, v }) => ({ scope, key, v }));
  return context.queue.run<Answer>({
    key: scope,
    size: 128 * changes.length,
    author: () => {
      const newer = changes.filter((change) => wins(change, held.get(change.key)));
      if (v !== undefined)
        for (const { key } of newer) context.clock.admit(v, numberInOrder(held.get(key)?.v ?? '0'));
      const answer = { id, token };
      return newer.length === 0 ? { answer } : { answer, cells: [cellsEntry(scope, ...newer)] };
    },
  });
}

function checkTitle(text: string, what: string): string {
  checkText(text, what);
  if (text.length <= LIMITS.titleChars) return text;
  throw new CausewayError('body-too-large', `${what} holds at most ${LIMITS.titleChars} characters`);
}
