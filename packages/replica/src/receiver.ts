import {
  ENVELOPE_VERSION,
  decodeEntry,
  encodeEntry,
  isDocument,
  nameOfEntry,
  parseName,
  type Entry,
  type Version,
} from '@causeway/protocol';
import { updateRow } from './append-queue.ts';
import {
  BusDown,
  Doubtful,
  Refused,
  type ApplyBatch,
  type Bus,
  type Committed,
  type Cursor,
  type Delivery,
  type Row,
  type Store,
  type Time,
} from './ports.ts';

export type ReceiverEvents = {
  /** Rows of the peer are committed here. */
  applied(rows: readonly Row[], result: Committed): void;
  /** What this region writes because of the peer's rows (see Channels.raisedBy). */
  own(rows: readonly Row[]): Promise<Row[]>;
  /** The peer has this version of a strong log in force. */
  changed(version: Version): void;
  /** The stream cannot show that nothing is missing: states have to be compared. */
  behind(peer: string): void;
  /** Something that an operator should hear of. */
  notice(what: 'started-over' | 'parked' | 'lost' | 'gap', detail: Record<string, unknown>): void;
};

export type ReceiverParts = {
  region: string;
  bus: Bus;
  store: Store;
  time: Time;
  /** Documents with parked messages, shared by the receivers of all peers. */
  parked: Set<string>;
};

/** How a peer's pipe is doing, for metrics and status. */
export type PeerState = {
  peer: string;
  connected: boolean;
  /** Age of the last heartbeat when it arrived, milliseconds; undefined before the first, and while the peer is of a newer version. */
  lagMs: number | undefined;
  /** When the last heartbeat arrived, milliseconds since 1970. */
  heardAt: number | undefined;
  sequence: number;
  /** The last sequence of the peer's stream, as it last said; undefined before. */
  lastSequence: number | undefined;
  /** Bytes of a message of this peer, on average. */
  meanBytes: number;
  /** All that the peer committed before this time (its clock) is applied here; undefined while something may be missing. */
  wholeTo: number | undefined;
};

/** Thrown inside a follow when the stream is not the one that the cursor speaks of. */
class AnotherStream extends Error {}

const RETRY_MS = 100;
/** A peer that was silent for longer than this is compared with, whatever its stream says. */
const LONG_SILENCE_MS = 30_000;
const HELLO_AGAIN_MS = 2_000;
/** How often a peer is asked how far its stream goes. */
const ASK_EVERY_MS = 5_000;
/** About so many messages make the mean size. */
const MEAN_OF = 100;
const HEARTBEAT = '-/heartbeat';
/** Heartbeats alone move the stored cursor only this often, in messages. */
const IDLE_CURSOR = 500;

/**
 * Reads one peer's stream into this region's store: rows and cursor in one transaction, no outbox
 * row, so nothing echoes. The cursor is believed only as long as the message it points at is
 * still the one that was read; otherwise reading starts over, which repeats and loses nothing.
 */
export class Receiver {
  readonly #region: string;
  readonly #peer: string;
  readonly #bus: Bus;
  readonly #store: Store;
  readonly #time: Time;
  readonly #events: ReceiverEvents;
  readonly #parked: Set<string>;
  /** A batch of which nobody can say whether it was committed. */
  #doubtful: ApplyBatch | undefined;
  /**
   * Is everything here that the peer's messages depend on? Only a comparison that began after the last
   * gap can say so, and what an earlier process missed nobody here knows.
   */
  #whole: 'no' | 'comparing' | 'yes' = 'no';
  /** When the newest heartbeat was sent that was read, whether or not what came before it is stored yet. */
  #sentAt: number | undefined;
  /** Something of a newer version waits for an upgrade, so it is not shown. */
  #keeps = false;
  readonly state: PeerState;

  constructor(peer: string, parts: ReceiverParts, events: ReceiverEvents) {
    this.#peer = peer;
    this.#region = parts.region;
    this.#parked = parts.parked;
    this.#bus = parts.bus;
    this.#store = parts.store;
    this.#time = parts.time;
    this.#events = events;
    this.state = {
      peer,
      connected: false,
      lagMs: undefined,
      heardAt: undefined,
      sequence: 0,
      lastSequence: undefined,
      meanBytes: 0,
      wholeTo: undefined,
    };
  }

  /** Receives until the signal fires; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    // Another process may have read across a gap since this one last received.
    this.#whole = 'no';
    await Promise.all([this.#receiving(signal), this.#asking(signal)]);
  }

  /** A stream that does not reach us cannot say how much of it is waiting. */
  async #asking(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const hello = await this.#bus.hello(this.#peer).catch(() => undefined);
      if (hello !== undefined) this.state.lastSequence = hello.lastSequence;
      await this.#time.sleep(ASK_EVERY_MS, signal);
    }
  }

  async #receiving(signal: AbortSignal): Promise<void> {
    let cursor: Cursor | undefined | 'stored' = 'stored';
    while (!signal.aborted) {
      try {
        if (cursor === 'stored') cursor = await this.#storedCursor();
        // A new region, or one that lost its disk: the stream may not reach back to the beginning.
        if (cursor === undefined) this.#behind();
        await this.#follow(cursor, signal);
      } catch (error) {
        this.state.connected = false;
        cursor = 'stored';
        if (error instanceof AnotherStream) {
          this.#events.notice('started-over', { peer: this.#peer, why: error.message });
          cursor = undefined;
          continue;
        }
        if (!(error instanceof BusDown) && !signal.aborted)
          this.#events.notice('lost', { peer: this.#peer, why: String(error) });
        await this.#time.sleep(RETRY_MS, signal);
      }
    }
    this.state.connected = false;
  }

  /** Where reading goes on; a doubtful batch that turns out to be committed is told now, for it will not come again. */
  async #storedCursor(): Promise<Cursor | undefined> {
    const cursor = await this.#store.cursor(this.#peer);
    const batch = this.#doubtful;
    this.#doubtful = undefined;
    if (batch?.cursor !== undefined && cursor?.messageId === batch.cursor.messageId) {
      if (batch.parked.length > 0) this.#whole = 'no';
      this.#events.applied(batch.rows, NOTHING);
    }
    return cursor;
  }

  /** One connection's worth of reading, from the cursor's own message on. */
  async #follow(cursor: Cursor | undefined, signal: AbortSignal): Promise<void> {
    const session = new AbortController();
    const either = AbortSignal.any([signal, session.signal]);
    const reading = new Reading(cursor);
    let mismatch: AnotherStream | undefined;
    void this.#compare(reading, either).then((found) => {
      mismatch = found;
      if (found !== undefined) session.abort();
    });
    try {
      await this.#bus.follow(
        this.#peer,
        cursor?.sequence ?? 1,
        (batch) => this.#deliver(reading, batch),
        either,
      );
    } catch (error) {
      throw mismatch ?? error;
    } finally {
      session.abort();
    }
  }

  /**
   * Asks the peer what it publishes into. Its answer may be behind its stream (acknowledgements on
   * the way, another process that publishes), so one that is behind the cursor counts only when it
   * still is after two heartbeats, and never once the cursor's own message has been read again.
   */
  async #compare(reading: Reading, signal: AbortSignal): Promise<AnotherStream | undefined> {
    const { cursor } = reading;
    if (cursor === undefined) return undefined;
    let wasBehind = false;
    while (!signal.aborted) {
      const hello = await this.#bus.hello(this.#peer).catch(() => undefined);
      if (signal.aborted) return undefined;
      if (hello !== undefined) {
        const isSame = hello.incarnation === cursor.incarnation;
        if (isSame && reading.verified) return undefined;
        const isBehind = hello.lastSequence < cursor.sequence;
        if (!isSame || (isBehind && wasBehind))
          return new AnotherStream(
            `stream ${hello.incarnation} at ${hello.lastSequence}, read ${cursor.incarnation} to ${cursor.sequence}`,
          );
        wasBehind = isBehind;
      }
      // Without an answer its server is down, and who answered may not know yet: asked again until the
      // cursor's own message is read. Where the stream ends before it, reading would wait until it has
      // grown past it.
      await this.#time.sleep(HELLO_AGAIN_MS, signal);
    }
    return undefined;
  }

  async #deliver(reading: Reading, deliveries: Delivery[]): Promise<void> {
    const silentMs = this.#time.now() - (this.state.heardAt ?? this.#time.now());
    if (!this.state.connected && silentMs > LONG_SILENCE_MS) this.#events.behind(this.#peer);
    this.state.connected = true;
    const fresh = reading.accept(deliveries);
    if (reading.gap) {
      // The message of the cursor has expired: no proof either way. Read on; repair compares digests.
      this.#events.notice('gap', {
        peer: this.#peer,
        from: reading.cursor?.sequence,
        to: fresh[0]?.sequence,
      });
      reading.gap = false;
      this.#behind();
    }
    const last = fresh.at(-1);
    if (last === undefined) return;
    const cursor: Cursor = {
      incarnation: incarnationOf(last.id),
      sequence: last.sequence,
      messageId: last.id,
    };
    const batch = this.#read(fresh, cursor);
    const idle = batch.rows.length + batch.parked.length === 0;
    this.state.sequence = last.sequence;
    if (
      idle &&
      cursor.incarnation === reading.cursor?.incarnation &&
      cursor.sequence - reading.cursor.sequence < IDLE_CURSOR
    ) {
      // Heartbeats leave nothing to store. And once more, in case that the last report was lost.
      this.#report(cursor);
      this.#stored();
      return;
    }
    await this.#apply(batch);
    reading.cursor = cursor;
    this.#report(cursor);
    this.#stored();
  }

  /** Everything up to the newest heartbeat is stored. */
  #stored(): void {
    const isShown = this.#whole === 'yes' && !this.#keeps && this.#parked.size === 0;
    if (isShown && this.#sentAt !== undefined) this.state.wholeTo = this.#sentAt;
  }

  /** Messages of a newer version wait, or they do no longer. */
  keeps(does: boolean): void {
    this.#keeps = does;
  }

  /** Tells the peer how far its stream is committed here (level `zone`). */
  #report({ incarnation, sequence, messageId }: Cursor): void {
    if (this.#whole !== 'yes') return;
    this.#bus.report(this.#peer, { region: this.#region, incarnation, sequence, messageId });
  }

  /** Something of the peer may be missing here: compare, and promise nothing before. */
  #behind(): void {
    this.#whole = 'no';
    this.#events.behind(this.#peer);
  }

  /** A comparison with the peer begins. */
  comparing(): void {
    if (this.#whole === 'no') this.#whole = 'comparing';
  }

  /** It brought everything that the peer held when it began. */
  compared(): void {
    if (this.#whole === 'comparing') this.#whole = 'yes';
  }

  /** Decodes messages; takes heartbeats out and parks what it cannot read. */
  #read(deliveries: readonly Delivery[], cursor: Cursor): ApplyBatch {
    const batch: ApplyBatch = { peer: this.#peer, cursor, rows: [], own: [], parked: [] };
    for (const { name, bytes } of deliveries) {
      this.state.meanBytes += (bytes.length - this.state.meanBytes) / MEAN_OF;
      const decoded = decodeEntry(bytes);
      if (decoded.ok && decoded.entry.kind === 'heartbeat') {
        this.#heard(decoded.entry.sentAt);
        continue;
      }
      if (!decoded.ok && decoded.reason === 'newer') {
        // A peer that goes first sends one a second: kept, they would fill the table of parked messages.
        if (name === HEARTBEAT) this.#heard(undefined);
        else this.#park(batch, name, decoded.version, bytes);
        continue;
      }
      if (decoded.ok && decoded.entry.kind === 'change' && nameOfEntry(decoded.entry) === name) {
        // Nothing to store with the cursor: what gets lost here shows in the directory.
        this.#events.changed(decoded.entry.version);
        continue;
      }
      const row = decoded.ok && isRow(decoded.entry, name) ? readRow(decoded.entry) : undefined;
      if (row === undefined) this.#park(batch, name, 0, bytes);
      else if (this.#parked.has(name)) this.#park(batch, name, ENVELOPE_VERSION, bytes);
      else batch.rows.push(row);
    }
    return batch;
  }

  /** One transaction; when the data itself is refused, one by one, so that one bad row stops nobody. */
  async #apply(batch: ApplyBatch): Promise<void> {
    batch.own = await this.#events.own(batch.rows);
    try {
      const result = await this.#store.apply(batch);
      if (result.unkept) this.#whole = 'no';
      this.#events.applied(batch.rows, result);
    } catch (error) {
      if (error instanceof Doubtful) this.#doubtful = batch;
      if (!(error instanceof Refused) || batch.rows.length === 0) throw error;
      for (const row of batch.rows) await this.#applyAlone(row);
      await this.#apply({ ...batch, rows: [] });
    }
  }

  async #applyAlone(row: Row): Promise<void> {
    const alone: ApplyBatch = {
      peer: this.#peer,
      rows: [row],
      own: await this.#events.own([row]),
      parked: [],
    };
    try {
      this.#events.applied(alone.rows, await this.#store.apply(alone));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      const parked: ApplyBatch['parked'] = [];
      this.#park({ parked }, nameOfEntry(row.entry), 0, encodeEntry(row.entry));
      const { unkept } = await this.#store.apply({ peer: this.#peer, rows: [], own: [], parked });
      if (unkept) this.#whole = 'no';
    }
  }

  /**
   * Keeps a message as received. When it was written by a newer version, everything later about
   * the same document waits with it; version 0 is what nobody can read, and holds up nothing.
   */
  #park(batch: Pick<ApplyBatch, 'parked'>, name: string, version: number, bytes: Uint8Array): void {
    if (version > 0) this.#keeps = true;
    // Cells merge one by one, so nothing waits for a parked one.
    if (version > 0 && isDocument(name)) this.#parked.add(name);
    batch.parked.push({ name, version, bytes });
    this.#events.notice('parked', { peer: this.#peer, kind: parseName(name)?.kind, version });
  }

  /** A heartbeat arrived; when it was sent is unknown of one that this version cannot read. */
  #heard(sentAt: number | undefined): void {
    const now = this.#time.now();
    this.state.heardAt = now;
    this.#sentAt = sentAt ?? this.#sentAt;
    this.state.lagMs = sentAt === undefined ? undefined : Math.max(0, now - sentAt);
  }
}

const NOTHING: Committed = { outbox: [], untidy: [], commit: 0, authored: [] };

/** Checks that a stream is still the one that the cursor speaks of, and drops what was read already. */
class Reading {
  cursor: Cursor | undefined;
  gap = false;
  /** The stream is the cursor's, or there is none to compare with. */
  verified: boolean;

  #last: number;
  #incarnation: string | undefined;

  constructor(cursor: Cursor | undefined) {
    this.cursor = cursor;
    this.verified = cursor === undefined;
    this.#last = cursor?.sequence ?? 0;
    this.#incarnation = cursor?.incarnation;
  }

  accept(deliveries: Delivery[]): Delivery[] {
    const first = deliveries[0];
    if (first === undefined) return deliveries;
    const fresh = this.#verify(first) ? deliveries.slice(1) : deliveries;
    for (const { sequence, id } of fresh) {
      const incarnation = incarnationOf(id);
      // Expired or purged before it was read, at a resume as well as in the middle of reading; and
      // where a stream that lost its end goes on, there is no hole in the numbers.
      if (sequence > this.#last + 1 || incarnation !== (this.#incarnation ?? incarnation)) this.gap = true;
      this.#incarnation = incarnation;
      this.#last = Math.max(this.#last, sequence);
    }
    return fresh;
  }

  /** True when the first message of all is the one that the cursor points at. */
  #verify(first: Delivery): boolean {
    if (this.verified) return false;
    this.verified = true;
    const { sequence, messageId } = this.cursor!;
    if (first.sequence === sequence && first.id !== messageId)
      throw new AnotherStream(`message ${sequence} is ${first.id}, was ${messageId}`);
    if (first.sequence < sequence) throw new AnotherStream(`sequence ${first.sequence} after ${sequence}`);
    if (first.sequence === sequence) return true;
    // No proof either way, though it may be the very next one.
    this.gap = true;
    return false;
  }
}

const incarnationOf = (messageId: string): string => messageId.slice(0, messageId.indexOf('.'));

/** A message is believed only where subject and content name the same thing (R12). */
export const isRow = (entry: Entry, name: string): entry is Row['entry'] =>
  (entry.kind === 'update' || entry.kind === 'cells') &&
  nameOfEntry(entry) === name &&
  parseName(name) !== undefined;

/** A row of the log; undefined for bytes that are no update. */
export function readRow(entry: Row['entry']): Row | undefined {
  if (entry.kind === 'cells') return { entry };
  try {
    return updateRow(entry.name, entry.bytes, entry.member);
  } catch {
    return undefined; // Not a Yjs update.
  }
}
