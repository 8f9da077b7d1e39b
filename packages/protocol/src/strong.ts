import { sha256 } from '@noble/hashes/sha2.js';
import { Type, type Static, type TSchema } from 'typebox';
import { Value } from 'typebox/value';
import { HASH_ID, base64url, canonical, contentId } from './ids.ts';
import { LIMITS } from './limits.ts';
import { CHANGE_VERSION, ENVELOPE_VERSION, NewerVersion } from './versions.ts';

/**
 * The strong log of a workspace: who is a member, which channels there are and who is in the private
 * ones. Not a CRDT: versions are numbered, and one exists if and only if one compare-and-set on the
 * workspace's directory record took it (R7). Version 0 is what the manifest says.
 */
const strict = { additionalProperties: false };
const Id = Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}$' });
const HashId = Type.String({ pattern: HASH_ID.source });
/** Of a whole version: SHA-256 as base64url. */
const Digest = Type.String({ pattern: '^[A-Za-z0-9_-]{43}$' });
const Count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });

/** What a channel is called in addresses; stands for one channel of the workspace, archived ones included. */
export const Slug = Type.String({ pattern: '^[a-z0-9][a-z0-9_-]{0,63}$' });
const MemberIds = Type.Array(Id, { maxItems: LIMITS.membersPerChange });

const deed = <K extends string, P extends Record<string, TSchema>>(kind: K, properties: P) =>
  Type.Object({ kind: Type.Literal(kind), ...properties }, strict);

/** What somebody wants changed. A new channel's id is the id of the command that asks for it. */
export const Deed = Type.Union([
  deed('create-channel', { slug: Slug, private: Type.Boolean(), members: MemberIds }),
  deed('rename-channel', { channel: Id, slug: Slug }),
  deed('archive-channel', { channel: Id, on: Type.Boolean() }),
  deed('invite', { channel: Id, members: MemberIds }),
  deed('leave', { channel: Id }),
  deed('remove', { channel: Id, member: Id }),
  deed('remove-member', { member: Id }),
  deed('return-member', { member: Id }),
]);
export type Deed = Static<typeof Deed>;
export type DeedOf<K extends Deed['kind']> = Extract<Deed, { kind: K }>;

/** A member's request. Its id is the hash of its content, so a repeat is recognised anywhere (R4). */
export const ChangeCommand = Type.Object(
  { kind: Type.Literal('change'), workspace: Id, member: Id, nonce: HashId, deed: Deed },
  strict,
);
export type ChangeCommand = Static<typeof ChangeCommand>;

export const changeId = (command: ChangeCommand): string => contentId(command);

/** A request that was carried out: `id` is its command's. */
export const Change = Type.Object({ id: HashId, by: Id, at: Count, deed: Deed }, strict);
export type Change = Static<typeof Change>;

/** What one compare-and-set decides: the changes that lead from the version before to this one. */
export const Version = Type.Object(
  {
    workspace: Id,
    version: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }),
    /** Digest of the version before: the chain. */
    before: Digest,
    /** 128 random bits: the digest is known outside of the zone, and must not let anybody guess the changes (R6). */
    salt: HashId,
    changes: Type.Array(Change, { minItems: 1, maxItems: LIMITS.changesPerVersion }),
  },
  strict,
);
export type Version = Static<typeof Version>;

/** A version by its number and digest. */
export type Head = { version: number; digest: string };

const hash = (content: unknown): string => base64url(sha256(new TextEncoder().encode(canonical(content))));

/** The digest of a version, and through `before` of all before it. */
export const digestOf = (version: Version): string => hash(version);
/** Version 0: the manifest, whatever it says. */
export const firstHead = (workspace: string): Head => ({
  version: 0,
  digest: hash({ workspace, version: 0 }),
});

/**
 * What the directory knows of a workspace: nothing personal (R6). `epoch` grows when `home`, the region that
 * proposes changes, becomes another one.
 */
export const DirectoryRecord = Type.Object(
  { version: Count, digest: Digest, epoch: Count, home: Type.String() },
  strict,
);
export type DirectoryRecord = Static<typeof DirectoryRecord>;

/** What regions ask of each other about the strong log: JSON behind the version byte of the envelope. */
const Named = Type.Object({ workspace: Id, record: DirectoryRecord }, strict);
const Problem = Type.Object(
  { code: Type.String(), detail: Type.String(), retryAfter: Type.Optional(Type.Number()) },
  strict,
);
/** `version`: the one that holds it; `head`: what home had then, which is at least that. */
const Done = Type.Object(
  { id: HashId, version: Count, head: Type.Object({ version: Count, digest: Digest }, strict) },
  strict,
);
export type Done = Static<typeof Done>;

export const TALK = {
  /** Keep a version that is about to be decided; no, when that number is decided already. */
  prepare: { question: Type.Object({ version: Version }, strict), answer: Type.Boolean() },
  /** What is applied after a version (a portion of it), and what is held of the chain that ends with a digest. */
  changes: {
    question: Type.Object({ workspace: Id, after: Count, digest: Type.Optional(Digest) }, strict),
    answer: Type.Object({ applied: Type.Array(Version), held: Type.Array(Version) }, strict),
  },
  /** How far each workspace is applied. */
  heads: {
    question: Type.Object({}, strict),
    answer: Type.Array(Type.Object({ workspace: Id, version: Count, digest: Digest }, strict)),
  },
  /** A request that another region was asked, carried out by the home region. */
  change: {
    question: Type.Object({ command: ChangeCommand, ifVersion: Type.Optional(Count) }, strict),
    answer: Type.Union([Type.Object({ done: Done }, strict), Type.Object({ problem: Problem }, strict)]),
  },
  /** The directory: reads records, or puts `next` in the place of `expected`. */
  directory: {
    question: Type.Union([
      Type.Object({ read: Type.Array(Id) }, strict),
      Type.Object(
        {
          workspace: Id,
          expected: DirectoryRecord,
          next: DirectoryRecord,
        },
        strict,
      ),
    ]),
    answer: Type.Union([Type.Array(Named), Type.Boolean()]),
  },
} as const;

export type Talk = keyof typeof TALK;
export type TalkQuestion<K extends Talk> = Static<(typeof TALK)[K]['question']>;
export type TalkAnswer<K extends Talk> = Static<(typeof TALK)[K]['answer']>;

export const encodeTalk = (value: unknown): Uint8Array => {
  const text = new TextEncoder().encode(JSON.stringify(value));
  const bytes = new Uint8Array(text.length + 1);
  bytes[0] = CHANGE_VERSION;
  bytes.set(text, 1);
  return bytes;
};

export const readQuestion = <K extends Talk>(talk: K, bytes: Uint8Array): TalkQuestion<K> =>
  read(TALK[talk].question, bytes) as TalkQuestion<K>;
export const readAnswer = <K extends Talk>(talk: K, bytes: Uint8Array): TalkAnswer<K> =>
  read(TALK[talk].answer, bytes) as TalkAnswer<K>;

/** Throws NewerVersion, or an error about bytes that are no such message. */
function read(schema: TSchema, bytes: Uint8Array): unknown {
  const version = bytes[0] ?? 0;
  if (version > ENVELOPE_VERSION) throw new NewerVersion(`version ${version}, this is ${ENVELOPE_VERSION}`);
  const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(1)));
  if (!Value.Check(schema, value)) throw new TypeError('this is not what was asked');
  return value;
}

export const isDirectoryRecord = (value: unknown): value is DirectoryRecord =>
  Value.Check(DirectoryRecord, value);

export const isVersion = (value: unknown): value is Version => Value.Check(Version, value);
