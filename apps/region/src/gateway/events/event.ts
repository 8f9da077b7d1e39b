import { parseName, type Cell, type EventBody } from '@causeway/protocol';
import type { Change } from '@causeway/replica';

/**
 * An event, its id, and where it belongs: events of a channel go to who hears of it, those of a canvas to who
 * may see it, the others to the whole workspace or one member.
 */
export type Event = { id: string; body: EventBody; channel?: string; canvas?: string; only?: string };

/** What a change is to those who hear of it; undefined for what is none of their business, as the newest segments are. */
export function eventOf(change: Change, now: number): Event | undefined {
  if (change.kind === 'cell') return cellEvent(change.cell);
  const scope = change.kind === 'gone' ? change.place.channel : change.row.channel;
  const name = parseName(scope);
  if (name?.kind !== 'channel') return undefined;
  const { channel } = name;
  if (change.kind === 'gone') {
    const message = change.place.id;
    return { id: `deleted/${message}`, body: { event: 'message-deleted', channel, message }, channel };
  }
  const { history: _history, reactions: _reactions, ...message } = change.row.message;
  const edited = message.editedAt;
  return {
    // An earlier copy may show up, and then the message stands elsewhere.
    id: `message/${message.id}/${edited ?? message.t}`,
    body: {
      event: edited === undefined ? 'message-posted' : 'message-edited',
      channel,
      // A time from a fast clock is shown as now at most (R14).
      message: { ...message, at: Math.min(message.at, now) },
    },
    channel,
  };
}

function cellEvent({ scope, key, v, value }: Cell): Event | undefined {
  const name = parseName(scope);
  const id = `${scope.slice(scope.indexOf('/') + 1)}/${key}/${v}`;
  if (name?.kind === 'message') {
    // The emoji may hold a bar, a member id cannot.
    const bar = key.lastIndexOf('|');
    const { channel, message } = name;
    const [emoji, member] = [key.slice(0, bar), key.slice(bar + 1)];
    return { id, body: { event: 'reaction', channel, message, emoji, member, on: value === true }, channel };
  }
  const [what, about = ''] = [key.split('|', 1)[0]!, key.slice(key.indexOf('|') + 1)];
  if (name?.kind === 'channel') return channelEvent(id, name.channel, what, about, value);
  if (name?.kind === 'member') return memberEvent(id, name.member, what, about, value);
  if (name?.kind === 'workspace' && what === 'canvas')
    return { id, body: { event: 'canvas', canvas: about, title: textIn(value, 'title') }, canvas: about };
  if (name?.kind === 'about' && key === 'title')
    return {
      id,
      body: { event: 'canvas', canvas: name.canvas, title: textIn(value, 'text') },
      canvas: name.canvas,
    };
  return undefined;
}

function channelEvent(
  id: string,
  channel: string,
  what: string,
  about: string,
  value: unknown,
): Event | undefined {
  if (what === 'topic')
    return { id, body: { event: 'topic', channel, topic: textIn(value, 'text') }, channel };
  if (what === 'purpose')
    return { id, body: { event: 'purpose', channel, purpose: textIn(value, 'text') }, channel };
  if (what !== 'pin') return undefined;
  const on = value !== null && value !== false;
  return { id, body: { event: 'pin', channel, message: about, on }, channel };
}

function memberEvent(
  id: string,
  member: string,
  what: string,
  channel: string,
  value: unknown,
): Event | undefined {
  if (what === 'direct')
    return {
      id,
      body: { event: 'direct-opened', channel, members: Array.isArray(value) ? (value as string[]) : [] },
      only: member,
    };
  if (what !== 'joined') return undefined;
  const event = value === true ? 'member-joined' : 'member-left';
  return { id, body: { event, channel, member }, channel };
}

/** A text that stands alone or in a field. */
const textIn = (value: unknown, field: string): string => {
  const text =
    typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[field] : value;
  return typeof text === 'string' ? text : '';
};
