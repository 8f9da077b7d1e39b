import * as decoding from 'lib0/decoding';
import * as encoding from 'lib0/encoding';
import { decodeEntry, encodeEntry, type Entry } from './envelope.ts';
import { ENVELOPE_VERSION, FIRST_VERSION, NewerVersion } from './versions.ts';

/*
 * Questions and answers of anti-entropy, as regions send them to each other. Each begins with
 * the version byte of the envelope: what a newer version says is not read (`NewerVersion`), so
 * that regions can be upgraded one after another.
 */

/** What a region holds under the names of one bucket, folded. */
export type BucketSummary = { digest: bigint; names: number; stale: number };
/** A name with its digest, or without one while that is being computed. */
export type NameDigest = { name: string; digest?: bigint };
export type NamesQuestion = { buckets: readonly number[]; after: string };
/** `more`: there are names behind the last one listed. */
export type NamesAnswer = { names: NameDigest[]; more: boolean };

/** Documents, each with the asker's state vector; an empty one asks for everything. */
export type StatesQuestion = { name: string; stateVector: Uint8Array }[];
/** What a region answers about one document. */
export type StateAnswer = {
  name: string;
  /** What the asker lacks. */
  updates: Uint8Array[];
  stateVector: Uint8Array;
  /** Hash of the delete set. */
  deletes: bigint;
  /** Digest of the whole state. */
  digest: bigint;
  /** It holds structs that wait for others. */
  pending: boolean;
};

/**
 * Which copy of a document that diverged is kept, as its next generation. Proposed by a region
 * that noticed, and decided by one region of the zone, once for each document and generation.
 */
export type Decision = {
  /** The canvas, by the name of its first generation. */
  document: string;
  /** The generation that begins with the copy. */
  generation: number;
  /** Digest of the copy, 16 hexadecimal digits. */
  keep: string;
  /**
   * ClientIDs that wrote different things under equal clocks, in the generation before or an earlier
   * one, ascending; with how much of each the copy holds.
   */
  equivocators: { client: number; clock: number }[];
  /** The copy, as an update. */
  state: Uint8Array;
};

/** A proposal, or without one the question what is in force. */
export type DecideQuestion = { document: string; generation: number; proposal?: Decision };

export const encodeBuckets = (buckets: readonly BucketSummary[]): Uint8Array =>
  written((to) =>
    list(to, buckets, ({ digest, names, stale }) => {
      encoding.writeBigUint64(to, digest);
      encoding.writeVarUint(to, names);
      encoding.writeVarUint(to, stale);
    }),
  );

export const decodeBuckets = (bytes: Uint8Array): BucketSummary[] =>
  read(bytes, (from) =>
    listed(from, () => ({
      digest: decoding.readBigUint64(from),
      names: decoding.readVarUint(from),
      stale: decoding.readVarUint(from),
    })),
  );

export const encodeNamesQuestion = ({ buckets, after }: NamesQuestion): Uint8Array =>
  written((to) => {
    list(to, buckets, (bucket) => encoding.writeVarUint(to, bucket));
    encoding.writeVarString(to, after);
  });

export const decodeNamesQuestion = (bytes: Uint8Array): NamesQuestion =>
  read(bytes, (from) => ({
    buckets: listed(from, () => decoding.readVarUint(from)),
    after: decoding.readVarString(from),
  }));

export const encodeNamesAnswer = ({ names, more }: NamesAnswer): Uint8Array =>
  written((to) => {
    list(to, names, ({ name, digest }) => {
      encoding.writeVarString(to, name);
      encoding.writeUint8(to, digest === undefined ? 0 : 1);
      if (digest !== undefined) encoding.writeBigUint64(to, digest);
    });
    encoding.writeUint8(to, more ? 1 : 0);
  });

export const decodeNamesAnswer = (bytes: Uint8Array): NamesAnswer =>
  read(bytes, (from) => ({
    names: listed(from, () => {
      const name = decoding.readVarString(from);
      return decoding.readUint8(from) === 0 ? { name } : { name, digest: decoding.readBigUint64(from) };
    }),
    more: decoding.readUint8(from) === 1,
  }));

export const encodeStatesQuestion = (documents: StatesQuestion): Uint8Array =>
  written((to) =>
    list(to, documents, ({ name, stateVector }) => {
      encoding.writeVarString(to, name);
      encoding.writeVarUint8Array(to, stateVector);
    }),
  );

export const decodeStatesQuestion = (bytes: Uint8Array): StatesQuestion =>
  read(bytes, (from) =>
    listed(from, () => ({
      name: decoding.readVarString(from),
      stateVector: decoding.readVarUint8Array(from).slice(),
    })),
  );

export const encodeStatesAnswer = (answers: readonly StateAnswer[]): Uint8Array =>
  written((to) =>
    list(to, answers, (answer) => {
      encoding.writeVarString(to, answer.name);
      list(to, answer.updates, (update) => encoding.writeVarUint8Array(to, update));
      encoding.writeVarUint8Array(to, answer.stateVector);
      encoding.writeBigUint64(to, answer.deletes);
      encoding.writeBigUint64(to, answer.digest);
      encoding.writeUint8(to, answer.pending ? 1 : 0);
    }),
  );

export const decodeStatesAnswer = (bytes: Uint8Array): StateAnswer[] =>
  read(bytes, (from) =>
    listed(from, () => ({
      name: decoding.readVarString(from),
      updates: listed(from, () => decoding.readVarUint8Array(from).slice()),
      stateVector: decoding.readVarUint8Array(from).slice(),
      deletes: decoding.readBigUint64(from),
      digest: decoding.readBigUint64(from),
      pending: decoding.readUint8(from) === 1,
    })),
  );

export const encodeScopesQuestion = (scopes: readonly string[]): Uint8Array =>
  written((to) => list(to, scopes, (scope) => encoding.writeVarString(to, scope)));

export const decodeScopesQuestion = (bytes: Uint8Array): string[] =>
  read(bytes, (from) => listed(from, () => decoding.readVarString(from)));

type CellsEntry = Extract<Entry, { kind: 'cells' }>;

export const encodeScopesAnswer = (entries: readonly CellsEntry[]): Uint8Array =>
  written((to) => list(to, entries, (entry) => encoding.writeVarUint8Array(to, encodeEntry(entry))));

export const decodeScopesAnswer = (bytes: Uint8Array): CellsEntry[] =>
  read(bytes, (from) =>
    listed(from, () => {
      const decoded = decodeEntry(decoding.readVarUint8Array(from));
      if (decoded.ok && decoded.entry.kind === 'cells') return decoded.entry;
      throw new TypeError('an answer about cells holds something else');
    }),
  );

export const encodeDecideQuestion = ({ document, generation, proposal }: DecideQuestion): Uint8Array =>
  written((to) => {
    encoding.writeVarString(to, document);
    encoding.writeVarUint(to, generation);
    optionalDecision(to, proposal);
  });

export const decodeDecideQuestion = (bytes: Uint8Array): DecideQuestion =>
  read(bytes, (from) => {
    const document = decoding.readVarString(from);
    const generation = decoding.readVarUint(from);
    const proposal = readOptionalDecision(from);
    return { document, generation, ...(proposal === undefined ? {} : { proposal }) };
  });

/** The decision in force; none when nothing was proposed and nothing decided. */
export const encodeDecideAnswer = (decision: Decision | undefined): Uint8Array =>
  written((to) => optionalDecision(to, decision));

export const decodeDecideAnswer = (bytes: Uint8Array): Decision | undefined =>
  read(bytes, readOptionalDecision);

function optionalDecision(to: encoding.Encoder, decision: Decision | undefined): void {
  encoding.writeUint8(to, decision === undefined ? 0 : 1);
  if (decision === undefined) return;
  encoding.writeVarString(to, decision.document);
  encoding.writeVarUint(to, decision.generation);
  encoding.writeVarString(to, decision.keep);
  list(to, decision.equivocators, ({ client, clock }) => {
    encoding.writeVarUint(to, client);
    encoding.writeVarUint(to, clock);
  });
  encoding.writeVarUint8Array(to, decision.state);
}

function readOptionalDecision(from: decoding.Decoder): Decision | undefined {
  if (decoding.readUint8(from) === 0) return undefined;
  return {
    document: decoding.readVarString(from),
    generation: decoding.readVarUint(from),
    keep: decoding.readVarString(from),
    equivocators: listed(from, () => ({
      client: decoding.readVarUint(from),
      clock: decoding.readVarUint(from),
    })),
    state: decoding.readVarUint8Array(from).slice(),
  };
}

function written(write: (to: encoding.Encoder) => void): Uint8Array {
  const to = encoding.createEncoder();
  encoding.writeUint8(to, FIRST_VERSION);
  write(to);
  return encoding.toUint8Array(to);
}

/** Throws NewerVersion, or an error about bytes that are no such message. */
function read<T>(bytes: Uint8Array, fields: (from: decoding.Decoder) => T): T {
  const from = decoding.createDecoder(bytes);
  const version = decoding.readUint8(from);
  if (version > ENVELOPE_VERSION) throw new NewerVersion(`version ${version}, this is ${ENVELOPE_VERSION}`);
  const value = fields(from);
  if (decoding.hasContent(from)) throw new TypeError('there is more than was expected');
  return value;
}

function list<T>(to: encoding.Encoder, items: readonly T[], write: (item: T) => void): void {
  encoding.writeVarUint(to, items.length);
  for (const item of items) write(item);
}

function listed<T>(from: decoding.Decoder, item: () => T): T[] {
  const items: T[] = [];
  for (let left = decoding.readVarUint(from); left > 0; left--) items.push(item());
  return items;
}
