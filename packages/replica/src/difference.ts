import * as encoding from 'lib0/encoding';
import * as Y from 'yjs';

/** What someone gets who has nothing, until the document changes: many open the same one. */
const wholes = new WeakMap<Y.Doc, Uint8Array>();

type Struct = Y.Item | Y.GC;
type Cursor = { structs: readonly Struct[]; at: number };

/** Below so many bytes of room a piece is full. */
const CRUMBS = 64;
/** A UTF-16 unit is at most so many bytes of UTF-8. */
const BYTES_PER_UNIT = 3;
/** A range of deletes, encoded: about. */
const RANGE_BYTES = 6;
/** A struct with an id or a short text takes about so many bytes, one of typed text fewer. */
const STRUCT_BYTES = 32;

/**
 * What a reader lacks of a document, handed out in pieces: each is an update (format V1) of bounded
 * size, and those given so far always integrate without leaving anything pending, since a struct
 * comes only after what it depends on. Nothing is encoded ahead: a reader that does not read costs a
 * clock per author, however much it lacks.
 *
 * Deletes come last and all of them, as Yjs itself does it: state vectors say nothing about them.
 */
export class Difference {
  /** Client → clock from which on its structs are missing. Who is not in it is known entirely. */
  readonly #behind = new Map<number, number>();
  /** Clients whose deletes are still to come, and the clock reached in the first of them. */
  #deletes: { clients: number[]; clock: number } | 'all' | undefined;

  /** What somebody lacks who has what `stateVector` says; throws on bytes that are none. */
  static since(doc: Y.Doc, stateVector: Uint8Array): Difference {
    const difference = new Difference();
    const known = Y.decodeStateVector(stateVector);
    for (const client of doc.store.clients.keys()) {
      const clock = known.get(client) ?? 0;
      if (clock < Y.getState(doc.store, client)) difference.#behind.set(client, clock);
    }
    difference.#deletes = 'all';
    return difference;
  }

  /** An update that the reader will not get. */
  add(update: Uint8Array): void {
    for (const [client, clock] of Y.parseUpdateMeta(update).from)
      this.#behind.set(client, Math.min(clock, this.#behind.get(client) ?? clock));
    this.#deletes = 'all';
  }

  /** Has it every struct? From here on it can take later updates as they come, while the deletes still do. */
  get hasStructs(): boolean {
    return this.#behind.size === 0;
  }

  get isOver(): boolean {
    return this.hasStructs && this.#deletes === undefined;
  }

  /**
   * The next piece, as the document is now. It has at most about `bytes`, unless a single value that
   * cannot be cut (an embed, an attachment) is larger than that.
   */
  take(doc: Y.Doc, bytes: number): Uint8Array {
    const whole = this.#whole(doc, bytes);
    if (whole !== undefined) {
      this.#behind.clear();
      this.#deletes = undefined;
      return whole;
    }
    const piece = new Piece(bytes);
    this.#takeStructs(doc.store, piece);
    if (this.hasStructs) this.#takeDeletes(doc.store, piece);
    return piece.encode();
  }

  /** Everything, where it fits into one piece: Yjs encodes it in a seventh of the time that a piece takes. */
  #whole(doc: Y.Doc, bytes: number): Uint8Array | undefined {
    const { clients, pendingStructs, pendingDs } = doc.store;
    // What is pending would come along, and some deletes may be given already.
    if (pendingStructs !== null || pendingDs !== null || this.#deletes !== 'all') return undefined;
    const known = new Map<number, number>();
    let structs = 0;
    for (const [client, held] of clients) {
      const behind = this.#behind.get(client);
      known.set(client, behind ?? Y.getState(doc.store, client));
      if (behind !== undefined) structs += held.length;
    }
    if (structs * STRUCT_BYTES > bytes) return undefined;
    const isFresh = [...known.values()].every((clock) => clock === 0);
    const whole = isFresh ? wholeOf(doc) : Y.encodeStateAsUpdate(doc, Y.encodeStateVector(known));
    return whole.length <= bytes ? whole : undefined;
  }

  #takeStructs(store: Y.Doc['store'], piece: Piece): void {
    const cursors = new Map<number, Cursor>();
    for (const client of this.#behind.keys()) {
      // Clients to be brought so far, the last one first: what it waits for lies above it.
      const path = [{ client, until: Number.POSITIVE_INFINITY }];
      for (let goal = path.at(-1); goal !== undefined; goal = path.at(-1)) {
        const clock = this.#behind.get(goal.client);
        if (clock === undefined || clock > goal.until) {
          path.pop();
          continue;
        }
        const struct = structAt(store, cursors, goal.client, clock);
        if (struct === undefined) {
          this.#behind.delete(goal.client);
          continue;
        }
        const missing = this.#missingOf(struct);
        if (missing !== undefined) {
          path.push({ client: missing.client, until: missing.clock });
          continue;
        }
        const next = piece.add(struct, clock);
        if (next === clock) return;
        this.#behind.set(goal.client, next);
      }
    }
  }

  /** Something that a struct depends on and the reader does not have. */
  #missingOf(struct: Struct): Y.ID | undefined {
    if (!(struct instanceof Y.Item)) return undefined;
    const { origin, rightOrigin } = struct;
    if (this.#lacks(origin)) return origin;
    if (this.#lacks(rightOrigin)) return rightOrigin;
    if (origin !== null || rightOrigin !== null) return undefined;
    const parent = (struct.parent as Y.AbstractType<unknown>)._item?.id ?? null;
    return this.#lacks(parent) ? parent : undefined;
  }

  #lacks(id: Y.ID | null): id is Y.ID {
    return id !== null && id.clock >= (this.#behind.get(id.client) ?? Number.POSITIVE_INFINITY);
  }

  #takeDeletes(store: Y.Doc['store'], piece: Piece): void {
    if (this.#deletes === undefined) return;
    if (this.#deletes === 'all') this.#deletes = { clients: [...store.clients.keys()], clock: 0 };
    const { clients, clock: from } = this.#deletes;
    let clock = from;
    for (let client = clients.at(-1); client !== undefined; client = clients.at(-1)) {
      for (const range of deletedRanges(store.clients.get(client) ?? [], clock)) {
        if (piece.isFull) {
          this.#deletes.clock = range.clock;
          return;
        }
        piece.delete(client, range);
      }
      clients.pop();
      clock = 0;
    }
    this.#deletes = undefined;
  }
}

function wholeOf(doc: Y.Doc): Uint8Array {
  let whole = wholes.get(doc);
  if (whole === undefined) {
    wholes.set(doc, (whole = Y.encodeStateAsUpdate(doc)));
    doc.once('update', () => wholes.delete(doc));
  }
  return whole;
}

type Section = { clock: number; count: number; encoder: Y.UpdateEncoderV1 };
type Range = { clock: number; length: number };

/** An update in the making; its sections are per client, as in Yjs, whatever the order in which they were filled. */
class Piece {
  readonly #sections = new Map<number, Section>();
  readonly #deletes = new Map<number, Range[]>();
  #room: number;

  constructor(bytes: number) {
    this.#room = bytes;
  }

  get isFull(): boolean {
    return this.#room < CRUMBS && (this.#sections.size > 0 || this.#deletes.size > 0);
  }

  /** Adds a struct from `clock` on, as much of it as there is room for; the clock that is next, the same when there is none. */
  add(struct: Struct, clock: number): number {
    if (this.isFull) return clock;
    const from = clock - struct.id.clock;
    const to = this.#cut(struct, from);
    const part = from === 0 && to === struct.length ? struct : slice(struct, from, to);
    const alone = new Y.UpdateEncoderV1();
    part.write(alone, 0);
    const size = encoding.length(alone.restEncoder);
    if (size > this.#room && this.#sections.size > 0) {
      this.#room = 0;
      return clock;
    }
    const section = this.#section(struct.id.client, clock);
    encoding.writeUint8Array(section.encoder.restEncoder, alone.toUint8Array());
    section.count++;
    this.#room -= size;
    return struct.id.clock + to;
  }

  delete(client: number, range: Range): void {
    const ranges = this.#deletes.get(client) ?? [];
    this.#deletes.set(client, ranges);
    ranges.push(range);
    this.#room -= RANGE_BYTES;
  }

  encode(): Uint8Array {
    const to = encoding.createEncoder();
    encoding.writeVarUint(to, this.#sections.size);
    // Higher ids first, as Yjs writes them: it makes concurrent inserts at one place cheaper to order.
    for (const [client, { clock, count, encoder }] of [...this.#sections].sort(([a], [b]) => b - a)) {
      encoding.writeVarUint(to, count);
      encoding.writeVarUint(to, client);
      encoding.writeVarUint(to, clock);
      encoding.writeUint8Array(to, encoder.toUint8Array());
    }
    encoding.writeVarUint(to, this.#deletes.size);
    for (const [client, ranges] of this.#deletes) {
      encoding.writeVarUint(to, client);
      encoding.writeVarUint(to, ranges.length);
      for (const { clock, length } of ranges) {
        encoding.writeVarUint(to, clock);
        encoding.writeVarUint(to, length);
      }
    }
    return encoding.toUint8Array(to);
  }

  #section(client: number, clock: number): Section {
    let section = this.#sections.get(client);
    if (section === undefined) {
      section = { clock, count: 0, encoder: new Y.UpdateEncoderV1() };
      this.#sections.set(client, section);
      this.#room -= 16;
    }
    return section;
  }

  /** How far a struct may be taken into this piece. Typing merges into one struct, so one may be a whole book. */
  #cut(struct: Struct, from: number): number {
    if (!(struct instanceof Y.Item)) return struct.length;
    const { content } = struct;
    if (content instanceof Y.ContentString) return cutOfText(content.str, from, this.#room);
    if (content instanceof Y.ContentAny || content instanceof Y.ContentJSON)
      return cutOfValues(content.arr, from, this.#room);
    return struct.length;
  }
}

function cutOfText(text: string, from: number, room: number): number {
  const to = from + Math.max(1, Math.floor(room / BYTES_PER_UNIT));
  if (to >= text.length) return text.length;
  // Yjs would put U+FFFD in the place of a character that is cut in two.
  const isPairCut = (text.charCodeAt(to - 1) & 0xfc00) === 0xd800;
  return isPairCut ? to + 1 : to;
}

function cutOfValues(values: readonly unknown[], from: number, room: number): number {
  let left = room;
  let to = from;
  do left -= (JSON.stringify(values[to++]) ?? 'undefined').length;
  while (to < values.length && left > 0);
  return to;
}

/** A struct from one offset to another, as if it had been made in pieces. */
function slice(struct: Struct, from: number, to: number): Struct {
  const { client, clock } = struct.id;
  const id = Y.createID(client, clock + from);
  if (!(struct instanceof Y.Item)) return new Y.GC(id, to - from);
  const origin = from === 0 ? struct.origin : Y.createID(client, clock + from - 1);
  const copy = struct.content.copy();
  const content = from === 0 ? copy : copy.splice(from);
  if (to < struct.length) content.splice(to - from);
  return new Y.Item(id, null, origin, null, struct.rightOrigin, struct.parent, struct.parentSub, content);
}

/** The struct that holds a clock; nothing beyond the end. Cursors make the next look-up a step. */
function structAt(
  store: Y.Doc['store'],
  cursors: Map<number, Cursor>,
  client: number,
  clock: number,
): Struct | undefined {
  const structs = store.clients.get(client);
  const last = structs?.at(-1);
  if (structs === undefined || last === undefined || clock >= last.id.clock + last.length) return undefined;
  let cursor = cursors.get(client);
  if (cursor === undefined) cursors.set(client, (cursor = { structs, at: Y.findIndexSS(structs, clock) }));
  while (cursor.structs[cursor.at]!.id.clock + cursor.structs[cursor.at]!.length <= clock) cursor.at++;
  return cursor.structs[cursor.at];
}

/** The stretches that are deleted, from a clock on. */
function* deletedRanges(structs: readonly Struct[], from: number): Generator<Range> {
  const last = structs.at(-1);
  if (last === undefined || from >= last.id.clock + last.length) return;
  let range: Range | undefined;
  for (let at = Y.findIndexSS(structs as Struct[], from); at < structs.length; at++) {
    const { id, length, deleted } = structs[at]!;
    if (deleted) {
      range ??= { clock: id.clock, length: 0 };
      range.length += length;
    } else if (range !== undefined) {
      yield range;
      range = undefined;
    }
  }
  if (range !== undefined) yield range;
}
