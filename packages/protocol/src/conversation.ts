import { Type, type Static } from 'typebox';
import { Command, type Token } from './commands.ts';
import type { ErrorCode } from './errors.ts';

/**
 * The conversation of a WebSocket: requests with a number, replies to it, and pushes. `/v1/collab`
 * carries it in stateless messages, `/v1/events` in text frames; the shapes are the same.
 */
const strict = { additionalProperties: false };
const optional = Type.Optional;
const Id = Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}$' });
const MessageId = Type.String({ pattern: '^[A-Za-z0-9_-]{22}$' });
/** What the reply repeats as `re`; a request without one gets no reply, unless it is a problem. */
const Ref = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
/** By id or slug. */
const ChannelName = Type.String({ minLength: 1, maxLength: 300 });

/** The requests by what they do. */
export const REQUESTS = {
  /** Carries a command out; the reply is its acknowledgement, after the commit. */
  command: Type.Object(
    {
      do: Type.Literal('command'),
      ref: optional(Ref),
      command: Command,
      level: optional(Type.Union([Type.Literal('region'), Type.Literal('zone')])),
    },
    strict,
  ),
  /** The cells of a channel and of its newest messages, then every change of them, until `on: false`. */
  cells: Type.Object(
    { do: Type.Literal('cells'), ref: optional(Ref), channel: ChannelName, on: optional(Type.Boolean()) },
    strict,
  ),
  /** The member's own cells but read markers (channels joined, drafts, what is scheduled …), then every change of them. */
  mine: Type.Object({ do: Type.Literal('mine'), ref: optional(Ref) }, strict),
  /** Whom to hear of from now on, in place of whom was named before. */
  presence: Type.Object(
    { do: Type.Literal('presence'), ref: optional(Ref), members: Type.Array(Id, { maxItems: 1_000 }) },
    strict,
  ),
  /** The person has left the screen, or is back. */
  state: Type.Object({ do: Type.Literal('state'), ref: optional(Ref), idle: Type.Boolean() }, strict),
  /** The person types; it lasts for 6 s. */
  typing: Type.Object(
    { do: Type.Literal('typing'), ref: optional(Ref), channel: ChannelName, thread: optional(MessageId) },
    strict,
  ),
  /**
   * On `/v1/events`: hears of these channels too from now on, or with `on: false` of them no longer. Those that the member
   * has joined and direct ones need not be named.
   */
  subscribe: Type.Object(
    {
      do: Type.Literal('subscribe'),
      ref: optional(Ref),
      channels: Type.Array(ChannelName, { minItems: 1, maxItems: 1_000 }),
      on: optional(Type.Boolean()),
    },
    strict,
  ),
  /** What is unread in each channel, then what changes, at most once a second for each. */
  badges: Type.Object({ do: Type.Literal('badges'), ref: optional(Ref) }, strict),
  /** Goes on with another token of the same member. */
  refresh: Type.Object(
    { do: Type.Literal('refresh'), ref: optional(Ref), token: Type.String({ maxLength: 8_192 }) },
    strict,
  ),
} as const;

export type RequestOf<K extends keyof typeof REQUESTS> = Static<(typeof REQUESTS)[K]>;
export type Request = { [K in keyof typeof REQUESTS]: RequestOf<K> }[keyof typeof REQUESTS];

const TokenSchema = Type.Array(
  Type.Union([
    Type.Object({ document: Type.String(), client: Type.Integer(), clock: Type.Integer() }),
    Type.Object({ scope: Type.String(), key: Type.String(), v: Type.String() }),
  ]),
);

const AckSchema = Type.Object({
  id: Type.String({ description: 'the id of the command; of a post also that of the message' }),
  level: Type.Union([Type.Literal('region'), Type.Literal('zone')]),
  token: Type.Unsafe<Token>(TokenSchema),
  clock: Type.Integer({ description: 'hybrid time of the region' }),
  readToken: Type.String({ description: 'for `?after=` of a read, in any region' }),
});

const CellSchema = Type.Object({
  scope: Type.String(),
  key: Type.String(),
  v: Type.String(),
  value: Type.Unknown(),
});

const PresenceState = Type.Union([
  Type.Literal('online'),
  Type.Literal('away'),
  Type.Literal('dnd'),
  Type.Literal('offline'),
]);
const PresenceSchema = Type.Object({ member: Id, state: PresenceState });
const TypingSchema = Type.Object({ channel: Id, member: Id, thread: optional(MessageId) });
const BadgeSchema = Type.Object({
  channel: Id,
  unread: Type.Integer({ minimum: 0 }),
  mentions: Type.Integer({ minimum: 0 }),
  latest: optional(Type.String({ description: 'order time of the newest message' })),
  first: optional(Type.String({ description: 'id of the first unread message' })),
});

export const ProblemSchema = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String(),
    code: Type.Unsafe<ErrorCode>(Type.String()),
    next: Type.Union((['retry', 'elsewhere', 'fix', 'stop'] as const).map((next) => Type.Literal(next))),
    retryAfter: optional(Type.Number({ description: 'seconds' })),
    regions: optional(Type.Array(Type.String())),
    requestId: optional(Type.String()),
  },
  { description: 'RFC 9457' },
);

/** Replies by what they hold; `re` is the request's `ref`. */
export const REPLIES = {
  ack: Type.Object({ re: Ref, ack: AckSchema }),
  cells: Type.Object({ re: Ref, cells: Type.Array(CellSchema) }),
  presence: Type.Object({ re: Ref, presence: Type.Array(PresenceSchema) }),
  badges: Type.Object({ re: Ref, badges: Type.Array(BadgeSchema) }),
  channels: Type.Object({ re: Ref, channels: Type.Array(Id) }),
  expires: Type.Object({ re: Ref, expires: Type.Integer({ description: 'milliseconds since 1970' }) }),
  done: Type.Object({ re: Ref, done: Type.Literal(true) }),
  problem: Type.Object({ re: optional(Ref), problem: ProblemSchema }),
} as const;

/** What comes unasked after a request that asked for it. */
export const PUSHES = {
  cells: Type.Object({ cells: Type.Array(CellSchema) }),
  presence: Type.Object({ presence: Type.Array(PresenceSchema) }),
  typing: Type.Object({ typing: TypingSchema }),
  badges: Type.Object({ badges: Type.Array(BadgeSchema) }),
} as const;

export type Reply = { [K in keyof typeof REPLIES]: Static<(typeof REPLIES)[K]> }[keyof typeof REPLIES];
export type Push = { [K in keyof typeof PUSHES]: Static<(typeof PUSHES)[K]> }[keyof typeof PUSHES];
export type Badge = Static<typeof BadgeSchema>;
export type Presence = Static<typeof PresenceSchema>;
export type Typing = Static<typeof TypingSchema>;
