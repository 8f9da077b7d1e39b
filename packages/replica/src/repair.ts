import {
  compareText,
  decodeBuckets,
  decodeNamesAnswer,
  decodeScopesAnswer,
  decodeStatesAnswer,
  encodeNamesQuestion,
  encodeScopesQuestion,
  encodeStatesQuestion,
  isDocument,
  NewerVersion,
  parseName,
  type NameDigest,
  type StateAnswer,
  type StatesQuestion,
} from '@causeway/protocol';
import * as Y from 'yjs';
import { updateRow } from './append-queue.ts';
import { cellsEntry, wins } from './cells.ts';
import { comparableOf, hasPending, isSameVector, replay } from './comparable.ts';
import { integrate } from './integrate.ts';
import {
  BusDown,
  Refused,
  type Bus,
  type Committed,
  type Random,
  type Row,
  type Store,
  type Time,
} from './ports.ts';

/** What one pass over a peer found. */
export type Pass = {
  peer: string;
  /** Documents and scopes looked at beyond their digests. */
  compared: number;
  /** Documents and scopes that got something. */
  repaired: number;
  /** Rows and bytes that they got. */
  rows: number;
  bytes: number;
  /** What differs still: documents that wait for an upgrade of this region, rows that its database refuses. */
  waiting: number;
  /** Diverged documents about which nothing could be decided now. */
  undecided: number;
};

export type RepairEvents = {
  /** Rows of the peer are committed here. */
  applied(rows: readonly Row[], result: Committed): void;
  /** What this region writes because of the peer's rows (see Channels.raisedBy). */
  own(rows: readonly Row[]): Promise<Row[]>;
  /** Equal vectors and deletes, nothing pending, and yet another content; false when it has to be told again soon. */
  diverged(name: string, peer: string): Promise<boolean>;
  /** A pass with this peer begins. */
  began(peer: string): void;
  passed(pass: Pass): void;
  failed(peer: string, error: unknown): void;
};

type Parts = { bus: Bus; store: Store; time: Time; random: Random; parked: ReadonlySet<string> };

/** Without another reason, a peer is compared with this often, plus up to a quarter. */
const EVERY_MS = 60_000;
/** After a pass that failed. */
const RETRY_MS = 2_000;
/** After a pass that found something undecided: a client writes on into a copy that will be kept aside. */
const UNDECIDED_MS = 10_000;
/** Documents, or scopes, in one question. */
const AT_ONCE = { documents: 50, scopes: 100 } as const;
/** Names that are listed at a time. */
const NAMES = 2_000;
/** Bytes of logs and state vectors, about, that are in memory for one question; the first document always is. */
const HELD_BYTES = 8 * 1024 * 1024;
/** Bytes of rows in one transaction. */
const BATCH_BYTES = 1024 * 1024;

/**
 * Anti-entropy: compares what this region holds with what a peer holds, digests of buckets first,
 * and fetches what is missing here; the peer does the same with us. It needs nothing of the
 * stream, so it repairs what the stream has forgotten, and it is how a new or emptied region
 * fills itself (R15).
 */
export class Repair {
  readonly #parts: Parts;
  readonly #events: RepairEvents;
  readonly #wake = new Map<string, AbortController>();

  constructor(parts: Parts, events: RepairEvents) {
    this.#parts = parts;
    this.#events = events;
  }

  /** There may be something missing that this peer has: compare soon. */
  request(peer: string): void {
    this.#wake.get(peer)?.abort();
  }

  /** Compares with each of the peers until the signal fires; never rejects. */
  async run(peers: readonly string[], signal: AbortSignal): Promise<void> {
    await Promise.all(peers.map((peer) => this.#keepComparing(peer, signal)));
  }

  /** One pass; rejects with BusDown when the peer does not answer, with NewerVersion, or with the store's error. */
  async pass(peer: string): Promise<Pass> {
    const pass: Pass = { peer, compared: 0, repaired: 0, rows: 0, bytes: 0, waiting: 0, undecided: 0 };
    const { bus, store } = this.#parts;
    const theirs = decodeBuckets(await bus.ask(peer, 'buckets', new Uint8Array()));
    const ours = await store.buckets();
    const differing = theirs.flatMap((their, bucket) => {
      const our = ours[bucket]!;
      const isAlike = their.stale + our.stale === 0 && their.digest === our.digest;
      return their.names === 0 || isAlike ? [] : [bucket];
    });
    for (let after: string | undefined = ''; after !== undefined && differing.length > 0;) {
      const page = await this.#differing(pass, differing, after);
      await this.#fetchDocuments(pass, page.names.filter(isDocument));
      await this.#fetchScopes(
        pass,
        page.names.filter((name) => !isDocument(name)),
      );
      after = page.next;
    }
    return pass;
  }

  async #keepComparing(peer: string, signal: AbortSignal): Promise<void> {
    const { time, random } = this.#parts;
    let waitMs = 0;
    while (!signal.aborted) {
      const wake = new AbortController();
      this.#wake.set(peer, wake);
      await time.sleep(waitMs, AbortSignal.any([signal, wake.signal]));
      if (signal.aborted) return;
      try {
        this.#wake.set(peer, new AbortController());
        this.#events.began(peer);
        const pass = await this.pass(peer);
        this.#events.passed(pass);
        // So that regions do not all ask at once.
        waitMs = (pass.undecided > 0 ? UNDECIDED_MS : EVERY_MS) * (1 + random.bytes(1)[0]! / 1024);
      } catch (error) {
        this.#events.failed(peer, error);
        waitMs = error instanceof BusDown || error instanceof NewerVersion ? RETRY_MS * 2 : RETRY_MS;
      }
      if (this.#wake.get(peer)?.signal.aborted === true) waitMs = 0;
    }
  }

  /** A page of the names that the peer holds and we do not hold alike, as far as digests tell. */
  async #differing(
    pass: Pass,
    buckets: readonly number[],
    after: string,
  ): Promise<{ names: string[]; next: string | undefined }> {
    const { bus, parked } = this.#parts;
    const answer = await bus.ask(pass.peer, 'names', encodeNamesQuestion({ buckets, after }));
    const theirs = decodeNamesAnswer(answer);
    const last = theirs.names.at(-1)?.name;
    if (last === undefined) return { names: [], next: undefined };
    const ours = await this.#ourDigests(buckets, after, last);
    const differing = theirs.names
      .filter(({ name, digest }) => digest === undefined || ours.get(name) !== digest)
      .filter(({ name }) => parseName(name) !== undefined)
      .map(({ name }) => name);
    // What waits for an upgrade is fetched again after it.
    const names = differing.filter((name) => !parked.has(name));
    pass.waiting += differing.length - names.length;
    return { names, next: theirs.more ? last : undefined };
  }

  async #ourDigests(buckets: readonly number[], after: string, last: string): Promise<Map<string, bigint>> {
    const digests = new Map<string, bigint>();
    for (let from: string | undefined = after; from !== undefined;) {
      const page: NameDigest[] = await this.#parts.store.names(buckets, from, NAMES);
      for (const { name, digest } of page) if (digest !== undefined) digests.set(name, digest);
      const reached = page.at(-1)?.name;
      from = reached === undefined || compareText(reached, last) >= 0 ? undefined : reached;
    }
    return digests;
  }

  async #fetchDocuments(pass: Pass, names: readonly string[]): Promise<void> {
    let left = [...names];
    while (left.length > 0) {
      const asked = left.slice(0, AT_ONCE.documents);
      const held = new Map<string, Y.Doc>();
      const question: StatesQuestion = [];
      let bytes = 0;
      try {
        for (const name of asked) {
          if (bytes >= HELD_BYTES) break;
          const ours = await this.#held(pass, name);
          if (ours === undefined) {
            left = left.filter((other) => other !== name);
            continue;
          }
          held.set(name, ours.doc);
          const stateVector = Y.encodeStateVector(ours.doc);
          question.push({ name, stateVector });
          bytes += ours.bytes + stateVector.length;
        }
        if (held.size === 0) continue;
        const answer = await this.#parts.bus.ask(pass.peer, 'state', encodeStatesQuestion(question));
        const states = decodeStatesAnswer(answer).filter(({ name }) => held.has(name));
        await this.#applyStates(pass, states, held);
        const answered = new Set(states.map(({ name }) => name));
        left = rest(left, [...held.keys()], answered);
      } finally {
        for (const doc of held.values()) doc.destroy();
      }
    }
  }

  async #applyStates(
    pass: Pass,
    states: readonly StateAnswer[],
    held: ReadonlyMap<string, Y.Doc>,
  ): Promise<void> {
    const rows: Row[] = [];
    for (const state of states) {
      pass.compared++;
      const missing = this.#missing(pass, state, held.get(state.name)!);
      if (missing.length > 0) pass.repaired++;
      for (const bytes of missing) rows.push(updateRow(state.name, bytes));
    }
    await this.#apply(pass, rows);
    for (const state of states)
      if (isDivergence(state, held.get(state.name)!) && !(await this.#events.diverged(state.name, pass.peer)))
        pass.undecided++;
  }

  /** What we hold of a document; nothing of one that Yjs fails on, which must not end the pass for all others. */
  async #held({ peer }: Pass, name: string): Promise<{ doc: Y.Doc; bytes: number } | undefined> {
    const rows = await this.#parts.store.loadDocument(name);
    try {
      return { doc: replay(rows), bytes: rows.reduce((sum, row) => sum + row.length, 0) };
    } catch (error) {
      this.#events.failed(peer, error);
      return undefined;
    }
  }

  /** The same for what the peer answers. */
  #missing({ peer }: Pass, { updates }: StateAnswer, doc: Y.Doc): Uint8Array[] {
    try {
      return missingIn(doc, updates);
    } catch (error) {
      this.#events.failed(peer, error);
      return [];
    }
  }

  async #fetchScopes(pass: Pass, names: readonly string[]): Promise<void> {
    let left = [...names];
    while (left.length > 0) {
      const asked = left.slice(0, AT_ONCE.scopes);
      const answer = await this.#parts.bus.ask(pass.peer, 'cells', encodeScopesQuestion(asked));
      const entries = decodeScopesAnswer(answer).filter(({ scope }) => asked.includes(scope));
      const held = Map.groupBy(await this.#parts.store.loadCells(asked), ({ scope }) => scope);
      const rows: Row[] = [];
      for (const { scope, cells } of entries) {
        pass.compared++;
        const ours = new Map((held.get(scope) ?? []).map((cell) => [cell.key, cell]));
        const missing = cells.filter((cell) => wins(cell, ours.get(cell.key)));
        if (missing.length === 0) continue;
        pass.repaired++;
        rows.push({ entry: cellsEntry(scope, ...missing) });
      }
      await this.#apply(pass, rows);
      const answered = new Set(entries.map(({ scope }) => scope));
      left = rest(left, asked, answered);
    }
  }

  /** As what came by the stream, but without a cursor. */
  async #apply(pass: Pass, rows: readonly Row[]): Promise<void> {
    let batch: Row[] = [];
    let bytes = 0;
    const flush = async (): Promise<void> => {
      if (batch.length === 0) return;
      await this.#store(pass, batch);
      pass.bytes += bytes;
      batch = [];
      bytes = 0;
    };
    for (const row of rows) {
      batch.push(row);
      bytes += row.entry.kind === 'update' ? row.entry.bytes.length : 256 * row.entry.cells.length;
      if (bytes >= BATCH_BYTES) await flush();
    }
    await flush();
  }

  /** One transaction; when the data itself is refused, one by one, so that one bad row ends no pass. */
  async #store(pass: Pass, rows: Row[]): Promise<void> {
    const { peer } = pass;
    try {
      const own = await this.#events.own(rows);
      this.#events.applied(rows, await this.#parts.store.apply({ peer, rows, own, parked: [] }));
      pass.rows += rows.length;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      if (rows.length === 1) {
        pass.waiting++;
        this.#events.failed(peer, error);
      } else for (const row of rows) await this.#store(pass, [row]);
    }
  }
}

/**
 * What is still to be asked for. An answer goes in the order of the question and ends where it is full:
 * what it left out before that, its region does not hold or cannot read, and asking again would not end.
 */
function rest(left: readonly string[], asked: readonly string[], answered: ReadonlySet<string>): string[] {
  const last = asked.findLastIndex((name) => answered.has(name));
  const done = new Set(last < 0 ? asked : asked.slice(0, last + 1));
  return left.filter((name) => !done.has(name));
}

/**
 * Applies updates to the copy and returns what they brought: what Yjs emits is exactly that, so
 * nothing is stored twice. Where something still waits for others, the updates as received.
 */
function missingIn(doc: Y.Doc, updates: readonly Uint8Array[]): Uint8Array[] {
  const before = pendingOf(doc);
  const emitted: Uint8Array[] = [];
  const take = (bytes: Uint8Array): void => void emitted.push(bytes);
  doc.on('update', take);
  for (const update of updates) integrate(doc, update, 'repair');
  doc.off('update', take);
  return !hasPending(doc) || pendingOf(doc) === before ? emitted : [...updates];
}

/** What waits inside a document, as a text to compare. */
const pendingOf = ({ store }: Y.Doc): string =>
  `${store.pendingStructs?.update.join() ?? ''} ${store.pendingDs?.join() ?? ''}`;

function isDivergence(theirs: StateAnswer, doc: Y.Doc): boolean {
  if (theirs.pending || hasPending(doc)) return false;
  const ours = comparableOf(theirs.name, doc);
  return (
    ours.digest !== theirs.digest &&
    ours.deletes === theirs.deletes &&
    isSameVector(ours.stateVector, theirs.stateVector)
  );
}
