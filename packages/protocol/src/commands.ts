import { Type, type Static } from 'typebox';
import { contentId } from './ids.ts';
import { LIMITS } from './limits.ts';

/**
 * Commands: what a member asks a region to do. A client makes one, keeps it until it is
 * acknowledged and sends the very same one again, to any region. Its id is the hash of what it
 * is, so a repeat is recognised anywhere and nobody can put other words under someone's id.
 */
const Id = Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}$' });
const MessageId = Type.String({ pattern: '^[A-Za-z0-9_-]{22}$' });
/** 128 random bits, base64url; the maker of the command draws them once. */
const Nonce = Type.String({ pattern: '^[A-Za-z0-9_-]{22}$' });
/** Hybrid time: milliseconds since 1970 x 1024 + a counter. Minted once, kept in every retry. */
const HybridTime = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
/** Milliseconds since 1970. */
const Millis = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
const Body = Type.String({ minLength: 1 });

const frame = { workspace: Id, member: Id, nonce: Nonce };
const inChannel = { ...frame, channel: Id };
const onMessage = { ...inChannel, message: MessageId };
/** `v` orders it among other changes of the same thing. */
const switched = { on: Type.Boolean(), v: HybridTime };
/** A canvas: the id of the command that made it, or any other name that a client opened one under. */
const onCanvas = { ...frame, canvas: Id };
const strict = { additionalProperties: false };

/** Read markers: per segment and author clientID the clock up to which it was on screen. */
export const Markers = Type.Array(
  Type.Object(
    {
      segment: Type.Integer({ minimum: 1 }),
      client: Type.Integer({ minimum: 0 }),
      clock: Type.Integer({ minimum: 0 }),
    },
    strict,
  ),
  { minItems: 1, maxItems: LIMITS.markersPerCommand },
);

/** `also`: a reply that is shown in the channel too. */
const Post = Type.Object(
  {
    kind: Type.Literal('post'),
    ...inChannel,
    body: Body,
    thread: Type.Optional(MessageId),
    also: Type.Optional(Type.Literal(true)),
  },
  strict,
);

/** What a member may do with a canvas; its author may always edit. */
export const Right = Type.Union([Type.Literal('edit'), Type.Literal('view'), Type.Literal('none')]);
export type Right = Static<typeof Right>;

export const AvailabilityMode = Type.Union([Type.Literal('auto'), Type.Literal('away'), Type.Literal('dnd')]);
export type AvailabilityMode = Static<typeof AvailabilityMode>;

export const Command = Type.Union([
  Post,
  Type.Object({ kind: Type.Literal('edit'), ...onMessage, body: Body, v: HybridTime }, strict),
  Type.Object({ kind: Type.Literal('delete'), ...onMessage }, strict),
  Type.Object(
    {
      kind: Type.Literal('react'),
      ...onMessage,
      emoji: Type.String({ minLength: 1, maxLength: LIMITS.emojiChars }),
      ...switched,
    },
    strict,
  ),
  Type.Object({ kind: Type.Literal('pin'), ...onMessage, ...switched }, strict),
  Type.Object({ kind: Type.Literal('topic'), ...inChannel, topic: Type.String(), v: HybridTime }, strict),
  Type.Object({ kind: Type.Literal('purpose'), ...inChannel, purpose: Type.String(), v: HybridTime }, strict),
  Type.Object(
    {
      kind: Type.Literal('read'),
      ...inChannel,
      /** What was on screen: per segment its state vector. */
      markers: Markers,
    },
    strict,
  ),
  Type.Object({ kind: Type.Literal('join'), ...inChannel, ...switched }, strict),
  Type.Object({ kind: Type.Literal('mute'), ...inChannel, ...switched }, strict),
  Type.Object({ kind: Type.Literal('star'), ...inChannel, ...switched }, strict),
  /** `message` is the root of the thread. */
  Type.Object({ kind: Type.Literal('follow'), ...onMessage, ...switched }, strict),
  /** Unread from `message` on; without it no longer. */
  Type.Object(
    { kind: Type.Literal('unread'), ...inChannel, message: Type.Optional(MessageId), v: HybridTime },
    strict,
  ),
  /** An empty body clears it. */
  Type.Object(
    {
      kind: Type.Literal('draft'),
      ...inChannel,
      thread: Type.Optional(MessageId),
      body: Type.String(),
      v: HybridTime,
    },
    strict,
  ),
  Type.Object(
    {
      kind: Type.Literal('availability'),
      ...frame,
      mode: AvailabilityMode,
      until: Type.Optional(Millis),
      v: HybridTime,
    },
    strict,
  ),
  /** Opens a direct channel; its id is `directChannel(workspace, members)`, the sender among them. */
  Type.Object(
    {
      kind: Type.Literal('direct'),
      ...frame,
      members: Type.Array(Id, { minItems: 2, maxItems: LIMITS.directMembers }),
      v: HybridTime,
    },
    strict,
  ),
  /** Posts at `at`, under the id that the post has already. */
  Type.Object({ kind: Type.Literal('schedule'), ...frame, post: Post, at: Millis, v: HybridTime }, strict),
  /** `post` is the id of the scheduled post. */
  Type.Object({ kind: Type.Literal('unschedule'), ...frame, post: MessageId, v: HybridTime }, strict),
  Type.Object(
    { kind: Type.Literal('canvas'), ...frame, title: Type.String({ minLength: 1 }), v: HybridTime },
    strict,
  ),
  Type.Object(
    { kind: Type.Literal('retitle'), ...onCanvas, title: Type.String({ minLength: 1 }), v: HybridTime },
    strict,
  ),
  /** `to` is a member, or `*` for everybody who is not named. */
  Type.Object(
    {
      kind: Type.Literal('share'),
      ...onCanvas,
      to: Type.Union([Id, Type.Literal('*')]),
      right: Right,
      v: HybridTime,
    },
    strict,
  ),
  /** Keeps the canvas as it is now under a name; the id of the command is that of the version. */
  Type.Object(
    { kind: Type.Literal('version'), ...onCanvas, title: Type.String({ minLength: 1 }), v: HybridTime },
    strict,
  ),
  Type.Object({ kind: Type.Literal('restore'), ...onCanvas, version: MessageId, v: HybridTime }, strict),
]);

export type Command = Static<typeof Command>;
export type CommandOf<K extends Command['kind']> = Extract<Command, { kind: K }>;

/** The id of a command; for a post also the id of the message, for a canvas that of the canvas. */
export const commandId = (command: Command): string => contentId(command);

/** The channel that a command names; undefined for one that is about no channel, for `direct`, which opens one, and for `schedule`. */
export const channelOfCommand = (command: Command): string | undefined =>
  'channel' in command ? command.channel : undefined;

/** The id of the direct channel of these members, in whatever order they are given: whoever holds their list can check it. */
export const directChannel = (workspace: string, members: readonly string[]): string =>
  contentId({ workspace, direct: [...new Set(members)].sort() });

/**
 * Where a write is: lets any region say whether it has it, or wait for it. A document entry is
 * reached when the state vector holds at least `clock` for `client`, a cell entry when the
 * held `v` is at least `v`.
 */
export type Token = (
  | { document: string; client: number; clock: number }
  | { scope: string; key: string; v: string }
)[];

/** Given after the commit, never before. */
export type Ack = {
  id: string;
  /** `region`: committed in this region's Postgres; `zone`: and stored in another region of the zone. */
  level: 'region' | 'zone';
  token: Token;
  /** The server's hybrid time: the next `v` that a client mints is larger than any it has seen. */
  clock: number;
};
