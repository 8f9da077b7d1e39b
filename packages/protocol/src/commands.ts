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
const Body = Type.String({ minLength: 1 });

const frame = { workspace: Id, member: Id, nonce: Nonce };
const inChannel = { ...frame, channel: Id };
const onMessage = { ...inChannel, message: MessageId };
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

export const Command = Type.Union([
  Type.Object(
    { kind: Type.Literal('post'), ...inChannel, body: Body, thread: Type.Optional(MessageId) },
    strict,
  ),
  Type.Object({ kind: Type.Literal('edit'), ...onMessage, body: Body, v: HybridTime }, strict),
  Type.Object({ kind: Type.Literal('delete'), ...onMessage }, strict),
  Type.Object(
    {
      kind: Type.Literal('react'),
      ...onMessage,
      emoji: Type.String({ minLength: 1, maxLength: LIMITS.emojiChars }),
      on: Type.Boolean(),
      v: HybridTime,
    },
    strict,
  ),
  Type.Object({ kind: Type.Literal('topic'), ...inChannel, topic: Type.String(), v: HybridTime }, strict),
  Type.Object(
    {
      kind: Type.Literal('read'),
      ...inChannel,
      /** What was on screen: per segment its state vector. */
      markers: Markers,
    },
    strict,
  ),
  Type.Object(
    { kind: Type.Literal('canvas'), ...frame, title: Type.String({ minLength: 1 }), v: HybridTime },
    strict,
  ),
]);

export type Command = Static<typeof Command>;
export type CommandOf<K extends Command['kind']> = Extract<Command, { kind: K }>;

/** The id of a command; for a post also the id of the message, for a canvas that of the canvas. */
export const commandId = (command: Command): string => contentId(command);

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
