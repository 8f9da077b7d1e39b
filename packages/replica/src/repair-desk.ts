import {
  decodeNamesQuestion,
  decodeScopesQuestion,
  decodeStatesQuestion,
  encodeBuckets,
  encodeNamesAnswer,
  encodeScopesAnswer,
  encodeStatesAnswer,
  isDocument,
  type StateAnswer,
  type StatesQuestion,
  type Talk,
  type Token,
} from '@causeway/protocol';
import * as Y from 'yjs';
import { cellsEntry } from './cells.ts';
import { comparableOf, replay } from './comparable.ts';
import type { Bus, Operation, Store, Time } from './ports.ts';

/** Names in one answer. */
const NAMES = 2_000;
/** An answer ends with the document or scope that makes it larger than this; the asker asks again for the rest. */
const ANSWER_BYTES = 4 * 1024 * 1024;
/** A document of which the asker lacks more is left out: the bus takes answers of 64 MiB, and a larger one would end every pass. */
const DOCUMENT_BYTES = 48 * 1024 * 1024;
/** Or after so long: who asks gives up after 5 s without a word. */
const ANSWER_MS = 1_500;

type Parts = {
  bus: Bus;
  store: Store;
  time: Time;
  holds(token: Token): Promise<boolean>;
  decide(question: Uint8Array): Promise<Uint8Array>;
  restore(question: Uint8Array): Promise<Uint8Array>;
  /** What is asked about strong logs. */
  strong(talk: Talk, question: Uint8Array): Promise<Uint8Array>;
};

/** Answers what other regions ask of this one, and asks what has no other place. */
export class RepairDesk {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
    parts.bus.answer((operation, question) => this.#answer(operation, question));
  }

  /** Does the peer hold what a token names? Rejects with BusDown. */
  async askHolds(peer: string, token: Token): Promise<boolean> {
    const question = new TextEncoder().encode(JSON.stringify(token));
    const [answer] = await this.#parts.bus.ask(peer, 'holds', question);
    return answer === 1;
  }

  #answer(operation: Operation, question: Uint8Array): Promise<Uint8Array> {
    const { store, time } = this.#parts;
    switch (operation) {
      case 'buckets':
        return answerBuckets(store);
      case 'names':
        return answerNames(store, question);
      case 'state':
        return answerStates(store, time, question);
      case 'cells':
        return answerScopes(store, question);
      case 'holds':
        return this.#answerHolds(question);
      case 'decide':
        return this.#parts.decide(question);
      case 'restore':
        return this.#parts.restore(question);
      default:
        return this.#parts.strong(operation, question);
    }
  }

  async #answerHolds(question: Uint8Array): Promise<Uint8Array> {
    const token = JSON.parse(new TextDecoder().decode(question)) as Token;
    return Uint8Array.of((await this.#parts.holds(token)) ? 1 : 0);
  }
}

/** All documents' and scopes' digests, folded into buckets. */
async function answerBuckets(store: Store): Promise<Uint8Array> {
  return encodeBuckets(await store.buckets());
}

/** The names in some buckets, in pages. */
async function answerNames(store: Store, question: Uint8Array): Promise<Uint8Array> {
  const { buckets, after } = decodeNamesQuestion(question);
  const names = await store.names(buckets, after, NAMES);
  return encodeNamesAnswer({ names, more: names.length === NAMES });
}

/** What the asker lacks of documents; those that did not fit are left out, and those that Yjs cannot read. */
async function answerStates(store: Store, time: Time, question: Uint8Array): Promise<Uint8Array> {
  const answers: StateAnswer[] = [];
  const until = time.now() + ANSWER_MS;
  let bytes = 0;
  for (const asked of decodeStatesQuestion(question)) {
    if (bytes >= ANSWER_BYTES || (answers.length > 0 && time.now() > until)) break;
    if (!isDocument(asked.name)) continue;
    const answer = await stateOf(store, asked);
    const size = answer?.updates.reduce((sum, update) => sum + update.length, 0) ?? 0;
    if (answer === undefined || size > DOCUMENT_BYTES) continue;
    bytes += size;
    answers.push(answer);
  }
  return encodeStatesAnswer(answers);
}

/** All cells of scopes; those that did not fit are left out. */
async function answerScopes(store: Store, question: Uint8Array): Promise<Uint8Array> {
  const entries: ReturnType<typeof cellsEntry>[] = [];
  let bytes = 0;
  const cells = Map.groupBy(await store.loadCells(decodeScopesQuestion(question)), ({ scope }) => scope);
  for (const [scope, held] of cells) {
    if (bytes >= ANSWER_BYTES) break;
    bytes += held.reduce((sum, { key, v, value }) => sum + key.length + v.length + sizeOfValue(value), 0);
    entries.push(cellsEntry(scope, ...held.map(({ key, v, value }) => ({ key, v, value }))));
  }
  return encodeScopesAnswer(entries);
}

async function stateOf(
  store: Store,
  { name, stateVector }: StatesQuestion[number],
): Promise<StateAnswer | undefined> {
  const rows = await store.loadDocument(name);
  try {
    const doc = replay(rows);
    const answer = {
      name,
      updates: [Y.encodeStateAsUpdate(doc, stateVector)],
      ...comparableOf(name, doc),
    };
    doc.destroy();
    return answer;
  } catch {
    return undefined;
  }
}

const sizeOfValue = (value: unknown): number => JSON.stringify(value).length;
