import { isId, PRESENCE_VERSION } from '@causeway/protocol';
import * as decoding from 'lib0/decoding';
import * as encoding from 'lib0/encoding';
import { BOUNDS } from './bounds.ts';
import type { Standing } from './roster.ts';
import { isState } from './state.ts';

/** The topic of rosters: about no workspace, since a process has one roster for all of them. */
export const ROSTERS = '-/rosters';

/** `process` is the incarnation of one: it dies with it. */
export type Announcement =
  /** Members of a process that changed. Numbers have no gaps, and are counted from 1. */
  | { kind: 'changes'; process: string; n: number; standings: Standing[] }
  /** The process lives, and this is what its roster comes to after its changes up to `n`. */
  | { kind: 'lease'; process: string; n: number; count: number; digest: bigint }
  /** Part `index` of `total` of a whole roster. */
  | { kind: 'roster'; process: string; n: number; index: number; total: number; standings: Standing[] }
  | { kind: 'goodbye'; process: string }
  /** What changed of what a process says about a topic; `after` is the number of its word before. */
  | { kind: 'part'; process: string; n: number; after: number; payload: Uint8Array }
  /** All that a process says about a topic; nothing when the payload is empty. */
  | { kind: 'whole'; process: string; n: number; payload: Uint8Array }
  | { kind: 'typing'; member: string; thread?: string };

export type Question =
  /** Say your roster: those named, unless it comes to this; with `others`, so does everybody who is not named. */
  | { kind: 'rosters'; others: boolean; held: { process: string; digest: bigint }[] }
  /** Say all that you say about these topics; `process` when only that one is asked. */
  | { kind: 'topics'; process?: string; topics: string[] }
  /** A word to those who share a topic. */
  | { kind: 'word'; topic: string; payload: Uint8Array };

const ANNOUNCEMENTS = ['changes', 'lease', 'roster', 'goodbye', 'part', 'whole', 'typing'] as const;
const QUESTIONS = ['rosters', 'topics', 'word'] as const;

/** Wire form: version byte, kind byte, then the fields in the order of the types above, as lib0 writes them. */
export function encodeAnnouncement(said: Announcement): Uint8Array {
  const to = begin(ANNOUNCEMENTS.indexOf(said.kind));
  if (said.kind === 'typing') {
    encoding.writeVarString(to, said.member);
    encoding.writeVarString(to, said.thread ?? '');
    return encoding.toUint8Array(to);
  }
  encoding.writeVarString(to, said.process);
  if (said.kind !== 'goodbye') encoding.writeVarUint(to, said.n);
  switch (said.kind) {
    case 'changes':
      writeStandings(to, said.standings);
      break;
    case 'lease':
      encoding.writeVarUint(to, said.count);
      encoding.writeBigUint64(to, said.digest);
      break;
    case 'roster':
      encoding.writeVarUint(to, said.index);
      encoding.writeVarUint(to, said.total);
      writeStandings(to, said.standings);
      break;
    case 'part':
      encoding.writeVarUint(to, said.after);
      encoding.writeVarUint8Array(to, said.payload);
      break;
    case 'whole':
      encoding.writeVarUint8Array(to, said.payload);
      break;
    case 'goodbye':
      break;
  }
  return encoding.toUint8Array(to);
}

export function encodeQuestion(question: Question): Uint8Array {
  const to = begin(QUESTIONS.indexOf(question.kind));
  switch (question.kind) {
    case 'rosters':
      encoding.writeUint8(to, question.others ? 1 : 0);
      encoding.writeVarUint(to, question.held.length);
      for (const { process, digest } of question.held) {
        encoding.writeVarString(to, process);
        encoding.writeBigUint64(to, digest);
      }
      break;
    case 'topics':
      encoding.writeVarString(to, question.process ?? '');
      encoding.writeVarUint(to, question.topics.length);
      for (const topic of question.topics) encoding.writeVarString(to, topic);
      break;
    case 'word':
      encoding.writeVarString(to, question.topic);
      encoding.writeVarUint8Array(to, question.payload);
      break;
  }
  return encoding.toUint8Array(to);
}

/** Undefined for what is malformed or of a newer version, whatever the bytes are: nobody needs to hear it. */
export const decodeAnnouncement = (bytes: Uint8Array): Announcement | undefined =>
  decode(bytes, (kind, from) => readAnnouncement(ANNOUNCEMENTS[kind], from));

/** As `decodeAnnouncement`. */
export const decodeQuestion = (bytes: Uint8Array): Question | undefined =>
  decode(bytes, (kind, from) => readQuestion(QUESTIONS[kind], from));

function begin(kind: number): encoding.Encoder {
  const to = encoding.createEncoder();
  encoding.writeUint8(to, PRESENCE_VERSION);
  encoding.writeUint8(to, kind);
  return to;
}

function decode<T>(
  bytes: Uint8Array,
  read: (kind: number, from: decoding.Decoder) => T | undefined,
): T | undefined {
  try {
    const from = decoding.createDecoder(bytes);
    if (decoding.readUint8(from) !== PRESENCE_VERSION) return undefined;
    const said = read(decoding.readUint8(from), from);
    return decoding.hasContent(from) ? undefined : said;
  } catch {
    return undefined;
  }
}

function readAnnouncement(
  kind: (typeof ANNOUNCEMENTS)[number] | undefined,
  from: decoding.Decoder,
): Announcement | undefined {
  if (kind === undefined) return undefined;
  if (kind === 'typing') {
    const member = readId(from);
    const thread = decoding.readVarString(from);
    return thread === '' ? { kind, member } : { kind, member, thread: checked(thread) };
  }
  const process = readId(from);
  if (kind === 'goodbye') return { kind, process };
  const n = decoding.readVarUint(from);
  switch (kind) {
    case 'changes':
      return { kind, process, n, standings: readStandings(from) };
    case 'lease':
      return { kind, process, n, count: decoding.readVarUint(from), digest: decoding.readBigUint64(from) };
    case 'roster': {
      const index = decoding.readVarUint(from);
      const total = decoding.readVarUint(from);
      if (index >= total || total > MAX_PARTS) return undefined;
      return { kind, process, n, index, total, standings: readStandings(from) };
    }
    case 'part':
      return { kind, process, n, after: decoding.readVarUint(from), payload: readPayload(from) };
    case 'whole':
      return { kind, process, n, payload: readPayload(from) };
  }
}

function readQuestion(
  kind: (typeof QUESTIONS)[number] | undefined,
  from: decoding.Decoder,
): Question | undefined {
  if (kind === 'rosters') {
    const others = decoding.readUint8(from) === 1;
    const held = readList(from, BOUNDS.processes, () => ({
      process: readId(from),
      digest: decoding.readBigUint64(from),
    }));
    return { kind, others, held };
  }
  if (kind === 'topics') {
    const process = decoding.readVarString(from);
    const topics = readList(from, BOUNDS.entries, () => decoding.readVarString(from));
    return process === '' ? { kind, topics } : { kind, process: checked(process), topics };
  }
  return kind === undefined
    ? undefined
    : { kind, topic: decoding.readVarString(from), payload: readPayload(from) };
}

const MAX_PARTS = Math.ceil(BOUNDS.members / BOUNDS.entries);

function writeStandings(to: encoding.Encoder, standings: readonly Standing[]): void {
  encoding.writeVarUint(to, standings.length);
  for (const { key, state } of standings) {
    encoding.writeVarString(to, key);
    encoding.writeUint8(to, state);
  }
}

const readStandings = (from: decoding.Decoder): Standing[] =>
  readList(from, BOUNDS.entries, () => {
    const key = decoding.readVarString(from);
    const [workspace, member, ...rest] = key.split('/');
    checked(workspace);
    checked(member);
    const state = decoding.readUint8(from);
    if (rest.length > 0 || !isState(state)) throw new RangeError('no standing');
    return { key, state };
  });

function readList<T>(from: decoding.Decoder, limit: number, read: () => T): T[] {
  const length = decoding.readVarUint(from);
  if (length > limit) throw new RangeError(`a list of ${length}`);
  return Array.from({ length }, read);
}

const readPayload = (from: decoding.Decoder): Uint8Array => decoding.readVarUint8Array(from).slice();
const readId = (from: decoding.Decoder): string => checked(decoding.readVarString(from));

function checked(id: string | undefined): string {
  if (id === undefined || !isId(id)) throw new RangeError('no id');
  return id;
}
