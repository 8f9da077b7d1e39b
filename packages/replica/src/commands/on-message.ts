import {
  CausewayError,
  LIMITS,
  channelScope,
  messageScope,
  segmentName,
  type CommandOf,
} from '@causeway/protocol';
import { orderOf } from '../hybrid-time.ts';
import { gone, notHereYet } from './change.ts';
import type { Answer, Context } from './context.ts';
import { checkText } from './post.ts';
import { checkRoom, isInUse, set, type Change, type Seen } from './set.ts';

type Place = { workspace: string; channel: string; message: string };

/** A reaction of one member with one emoji: on or off, the larger `v` wins. */
export async function react(context: Context, id: string, command: CommandOf<'react'>): Promise<Answer> {
  const { workspace, channel, message, emoji, member, on, v } = command;
  checkText(emoji, 'the emoji');
  await mustBeThere(context, command);
  const change = { key: `${emoji}|${member}`, v: orderOf(v, id), value: on };
  return set(context, id, messageScope(workspace, channel, message), v, [change], checkEmoji);
}

/** Pins a message to its channel, or takes the pin out. */
export async function pin(context: Context, id: string, command: CommandOf<'pin'>): Promise<Answer> {
  const { workspace, channel, message, member, on, v } = command;
  const value = on ? { by: member, t: await timeOf(context, command) } : null;
  if (!on) await mustBeThere(context, command, 'or was');
  const room = { prefix: 'pin|', inUse: LIMITS.pinsPerChannel, what: 'pins in a channel' };
  const change = { key: `pin|${message}`, v: orderOf(v, id), value };
  return set(context, id, channelScope(workspace, channel), v, [change], (each, seen) =>
    checkRoom(each, seen, room),
  );
}

/** Rejects with `not-here-yet`, and with `gone` for what was deleted unless that does not matter. */
export async function mustBeThere(context: Context, place: Place, deleted?: 'or was'): Promise<number[]> {
  const { workspace, channel, message } = place;
  const held = await context.lookup.segmentsOf(channelScope(workspace, channel), message);
  if (held.length === 0) throw notHereYet(message);
  if (deleted === undefined && held.some((copy) => copy.deleted)) throw gone(message);
  return held.map(({ segment }) => segment);
}

/** The `t` under which this region shows a message: the smallest of its copies here. */
export async function timeOf(context: Context, place: Place): Promise<string> {
  const { workspace, channel, message } = place;
  const segments = await mustBeThere(context, place);
  const times = await Promise.all(
    segments.map(async (segment) => {
      const live = await context.documents.open(segmentName(workspace, channel, segment));
      return live.segment!.copy(message).posts.map(({ t }) => t);
    }),
  );
  const first = times.flat().sort()[0];
  // Its edits came before it did.
  if (first === undefined) throw notHereYet(message);
  return first;
}

function checkEmoji({ key, value }: Change, seen: Seen): void {
  const [emoji, member] = partsOf(key);
  const isNew = !seen.has(key);
  const inUse = new Set<string>();
  let [own, ever] = [0, 0];
  for (const [other, cell] of seen) {
    const [otherEmoji, otherMember] = partsOf(other);
    if (isInUse(cell.value)) inUse.add(otherEmoji);
    if (otherMember !== member) continue;
    ever++;
    if (isInUse(cell.value) && other !== key) own++;
  }
  if (isNew && ever >= LIMITS.emojiEverPerMember)
    throw tooMany(`one member can try ${LIMITS.emojiEverPerMember} different emoji on a message`);
  if (value !== true) return;
  if (own >= LIMITS.emojiPerMember)
    throw tooMany(`one member can put ${LIMITS.emojiPerMember} emoji on a message; take one back first`);
  if (!inUse.has(emoji) && inUse.size >= LIMITS.emojiPerMessage)
    throw tooMany(`a message can bear ${LIMITS.emojiPerMessage} different emoji; choose one that is there`);
}

/** The emoji may hold a bar, a member id cannot. */
function partsOf(key: string): [emoji: string, member: string] {
  const bar = key.lastIndexOf('|');
  return [key.slice(0, bar), key.slice(bar + 1)];
}

const tooMany = (detail: string): CausewayError => new CausewayError('too-many', detail);
