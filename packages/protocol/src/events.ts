import { Type, type Static, type TSchema } from 'typebox';
import type { Message } from './messages.ts';

/**
 * What `/v1/events` says unasked. Every such frame has `event`, and `n`, which counts them from 1 on one
 * connection. Those with a `cursor` are things as they are now: one that changed twice may come once, and
 * one may come twice; `id` is made of what it is, so it is the same in every process and region.
 */
const optional = Type.Optional;
const Id = Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}$' });
const MessageId = Type.String({ pattern: '^[A-Za-z0-9_-]{22}$' });
const Cursor = Type.String({
  maxLength: 512,
  description: 'opaque: pass it as ?cursor= to go on behind this event, at any process of any region',
});

/** A message without its history and its reactions; those come by REST and as events of their own. */
export type EventMessage = Omit<Message, 'history' | 'reactions'>;
const MessageSchema = Type.Unsafe<EventMessage>(
  Type.Object({
    id: MessageId,
    author: Id,
    body: Type.String(),
    t: Type.String({ description: 'order on screen, compares as text; ties go by id' }),
    at: Type.Integer({ description: 'milliseconds since 1970' }),
    region: Type.String(),
    thread: optional(MessageId),
    also: optional(Type.Literal(true)),
    editedAt: optional(Type.Integer({ description: 'hybrid time' })),
  }),
);

/** What happened, by its name, without what the frame adds. */
export const EVENTS = {
  'message-posted': Type.Object({ channel: Id, message: MessageSchema }),
  /** May be the first that is heard of a message. */
  'message-edited': Type.Object({ channel: Id, message: MessageSchema }),
  'message-deleted': Type.Object({ channel: Id, message: MessageId }),
  'reaction': Type.Object({
    channel: Id,
    message: MessageId,
    emoji: Type.String(),
    member: Id,
    on: Type.Boolean(),
  }),
  'pin': Type.Object({ channel: Id, message: MessageId, on: Type.Boolean() }),
  'topic': Type.Object({ channel: Id, topic: Type.String() }),
  'purpose': Type.Object({ channel: Id, purpose: Type.String() }),
  'member-joined': Type.Object({ channel: Id, member: Id }),
  'member-left': Type.Object({ channel: Id, member: Id }),
  /** A direct channel that the member of this connection is in. */
  'direct-opened': Type.Object({ channel: Id, members: Type.Array(Id) }),
  'canvas': Type.Object({ canvas: Id, title: Type.String() }),
} as const;

/** What is true for a moment: never repeated, never caught up with. */
export const MOMENTS = {
  presence: Type.Object({ member: Id, state: Type.String() }),
  typing: Type.Object({ channel: Id, member: Id, thread: optional(MessageId) }),
  badge: Type.Object({
    channel: Id,
    unread: Type.Integer(),
    mentions: Type.Integer(),
    latest: optional(Type.String()),
  }),
} as const;

/** What is said about the connection itself. */
export const SIGNS = {
  'hello': Type.Object({
    member: Id,
    workspace: Id,
    region: Type.String(),
    session: Type.String(),
    clock: Type.Integer({ description: 'hybrid time of the region' }),
    heartbeatMs: Type.Integer({ description: 'something is said at least this often' }),
    expires: Type.Integer({ description: 'when the token ends, milliseconds since 1970' }),
    channels: Type.Array(Id, { description: 'the channels whose events come' }),
    cursor: Cursor,
  }),
  /** All that happened since the cursor was sent; what follows happens now. */
  'caught-up': Type.Object({ cursor: Cursor }),
  /** What happened since the cursor is not known any more: read what you show by REST. Events go on from now. */
  'expired': Type.Object({ cursor: Cursor, why: Type.String() }),
  'heartbeat': Type.Object({ clock: Type.Integer(), cursor: Cursor }),
} as const;

export type EventName = keyof typeof EVENTS;
export type EventBody = { [K in EventName]: { event: K } & Static<(typeof EVENTS)[K]> }[EventName];
export type Moment = {
  [K in keyof typeof MOMENTS]: { event: K } & Static<(typeof MOMENTS)[K]>;
}[keyof typeof MOMENTS];
export type Sign = {
  [K in keyof typeof SIGNS]: { event: K } & Static<(typeof SIGNS)[K]>;
}[keyof typeof SIGNS];

const framed = (
  event: string,
  body: { properties: Record<string, TSchema> },
  more: Record<string, TSchema>,
) =>
  Type.Object({
    event: Type.Literal(event),
    n: Type.Integer({ minimum: 1 }),
    ...more,
    ...body.properties,
  });

/** The frames as they are sent, by the name of the event. */
export const EVENT_FRAMES: Readonly<Record<string, TSchema>> = Object.fromEntries([
  ...Object.entries(EVENTS).map(([name, body]) => [
    name,
    framed(name, body, { id: Type.String(), cursor: Cursor }),
  ]),
  ...Object.entries({ ...MOMENTS, ...SIGNS }).map(([name, body]) => [name, framed(name, body, {})]),
]);
