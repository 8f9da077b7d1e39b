import { Type, type Static, type TSchema } from 'typebox';
import { AvailabilityMode, Markers, Right, type Ack } from './commands.ts';
import { LIMITS } from './limits.ts';
import { Slug } from './strong.ts';

/**
 * Bodies of the REST door. `nonce` and `v` make a request repeatable: a client that wants to send
 * it again draws them once and keeps them, together with `id` if it wants the hash checked.
 * Without them the server draws them, and a repeat is a new command.
 */
const strict = { additionalProperties: false };
const optional = <T extends TSchema>(schema: T) => Type.Optional(schema);
const Nonce = Type.String({ pattern: '^[A-Za-z0-9_-]{22}$', description: '128 random bits, base64url' });
const HashId = Type.String({ pattern: '^[A-Za-z0-9_-]{22}$' });
const HybridTime = Type.Integer({ minimum: 0, description: 'milliseconds since 1970 x 1024 + counter' });
const Body = Type.String({ minLength: 1, description: `at most ${LIMITS.bodyChars} characters` });
const repeatable = { nonce: optional(Nonce), id: optional(HashId) };
const timed = { ...repeatable, v: optional(HybridTime) };

/** A reply that is shown in the channel too. */
const also = optional(Type.Literal(true));
const Title = Type.String({ minLength: 1, description: `at most ${LIMITS.titleChars} characters` });
const Millis = Type.Integer({ minimum: 0, description: 'milliseconds since 1970' });

export const PostBody = Type.Object({ body: Body, thread: optional(HashId), also, ...repeatable }, strict);
export const EditBody = Type.Object({ body: Body, ...timed }, strict);
export const DeleteBody = Type.Object({ ...repeatable }, strict);
export const ReactBody = Type.Object({ ...timed }, strict);
export const TopicBody = Type.Object({ topic: Type.String(), ...timed }, strict);
export const PurposeBody = Type.Object({ purpose: Type.String(), ...timed }, strict);
/** Of what is switched on by PUT and off by DELETE. */
export const SwitchBody = Type.Object({ ...timed }, strict);
export const UnreadBody = Type.Object({ message: optional(HashId), ...timed }, strict);
export const DraftBody = Type.Object({ body: Type.String(), thread: optional(HashId), ...timed }, strict);
export const AvailabilityBody = Type.Object(
  { mode: AvailabilityMode, until: optional(Millis), ...timed },
  strict,
);
export const DirectBody = Type.Object(
  { members: Type.Array(Type.String(), { minItems: 2, maxItems: LIMITS.directMembers }), ...timed },
  strict,
);
/** `postNonce` is that of the message, `nonce` that of scheduling it: keep both when you repeat. */
export const ScheduleBody = Type.Object(
  {
    channel: Type.String({ description: 'id or slug' }),
    body: Body,
    thread: optional(HashId),
    also,
    at: Millis,
    postNonce: optional(Nonce),
    ...timed,
  },
  strict,
);
/** Of a canvas, of its title, and of a version. */
export const CanvasBody = Type.Object({ title: Title, ...timed }, strict);
export const RightBody = Type.Object({ right: Right, ...timed }, strict);
export const RestoreBody = Type.Object({ ...timed }, strict);
export const ReadBody = Type.Object(
  {
    markers: Markers,
    ...repeatable,
  },
  strict,
);
/** A strong write without more to say: its nonce makes it repeatable. */
export const ChangeBody = Type.Object({ ...repeatable }, strict);
export type ChangeBody = Static<typeof ChangeBody>;
export const ChannelBody = Type.Object(
  {
    slug: Slug,
    private: optional(Type.Boolean({ description: 'seen by its members only; for good' })),
    members: optional(
      Type.Array(Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}$' }), {
        maxItems: LIMITS.membersPerChange,
        description: 'of a private one, beside its maker',
      }),
    ),
    ...repeatable,
  },
  strict,
);
export type ChannelBody = Static<typeof ChannelBody>;
export const RenameBody = Type.Object({ slug: Slug, ...repeatable }, strict);
export type RenameBody = Static<typeof RenameBody>;

/** `?level=` of every write. */
export const LevelQuery = Type.Object(
  {
    level: optional(
      Type.Union([Type.Literal('region'), Type.Literal('zone')], {
        description:
          'how safe the write is before it is acknowledged: `region` (the default) committed here, `zone` stored in another region too',
      }),
    ),
  },
  strict,
);
export type LevelQuery = Static<typeof LevelQuery>;

/** `?after=` of reads. */
export const AfterQuery = Type.Object(
  {
    after: optional(
      Type.String({
        description:
          'the `readToken` of an acknowledgement, by whatever region: the answer shows that write, or is `not-here-yet` after 5 s: then ask again, or without it',
      }),
    ),
  },
  strict,
);
export type AfterQuery = Static<typeof AfterQuery>;

/** What a write is answered with. */
export type AckBody = Ack & {
  /** The token as text, for `?after=`. */
  readToken: string;
};

export type PostBody = Static<typeof PostBody>;
