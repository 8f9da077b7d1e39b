import { canonical, compareText } from '@causeway/protocol';
import { bucketOf, type Row, type SegmentIndex } from '@causeway/replica';

/** A row and whose it is: `own` was authored by this region and goes into the outbox. */
export type Authored = { row: Row; own: boolean };

/** A cell as it is stored: its value as canonical JSON text, so that `(v, text)` compares as text. */
export type StoredCell = { scope: string; key: string; v: string; text: string; own: boolean };

/** What a batch adds to one segment; the counts are of this region's rows, `first` and `last` of all. */
export type SegmentChange = {
  channel: string;
  segment: number;
  posts: number;
  bytes: number;
  operations: number;
  first?: string;
  last?: string;
  /** Rows of this region are among it. */
  own: boolean;
};

/** What a batch adds to one document, or that it may change a scope of cells (then 0 and 0). */
export type StateChange = { name: string; bucket: number; rows: number; bytes: number };

/** In which segments a batch posts, edits and deletes one message. */
export type Touched = {
  channel: string;
  id: string;
  posted: Set<number>;
  edited: Set<number>;
  deleted: Set<number>;
  /** A peer deleted it: somebody has to look, whatever else is known. */
  deletedByPeer: boolean;
};

/** What a batch does to the tables beside the log: folded, and in the order in which rows are locked. */
export type BatchEffects = {
  cells: StoredCell[];
  segments: SegmentChange[];
  touched: Touched[];
  states: StateChange[];
};

export function effectsOf(batch: readonly Authored[]): BatchEffects {
  const cells = new Map<string, StoredCell>();
  const segments = new Map<string, SegmentChange>();
  const touched = new Map<string, Touched>();
  const states = new Map<string, StateChange>();
  for (const authored of batch) {
    addToState(states, authored);
    for (const cell of storedCells(authored)) keepWinner(cells, cell);
    if (authored.row.index === undefined) continue;
    addToSegment(segments, authored, authored.row.index);
    addTouched(touched, authored, authored.row.index);
  }
  return {
    cells: inOrder(cells, (a, b) => compareText(a.scope, b.scope) || compareText(a.key, b.key)),
    segments: inOrder(segments, (a, b) => compareText(a.channel, b.channel) || a.segment - b.segment),
    touched: inOrder(touched, (a, b) => compareText(a.channel, b.channel) || compareText(a.id, b.id)),
    states: inOrder(states, (a, b) => compareText(a.name, b.name)),
  };
}

/** The law of cells: the larger `(v, value text)` wins, by bytes. */
export function beats(a: { v: string; text: string }, b: { v: string; text: string }): boolean {
  return (compareText(a.v, b.v) || compareText(a.text, b.text)) > 0;
}

function storedCells({ row: { entry }, own }: Authored): StoredCell[] {
  if (entry.kind !== 'cells') return [];
  return entry.cells.map(({ key, v, value }) => ({
    scope: entry.scope,
    key,
    v,
    text: canonical(value),
    own,
  }));
}

function keepWinner(cells: Map<string, StoredCell>, cell: StoredCell): void {
  const place = `${cell.scope}\n${cell.key}`;
  const held = cells.get(place);
  if (held === undefined || beats(cell, held)) cells.set(place, cell);
}

function addToSegment(segments: Map<string, SegmentChange>, { row, own }: Authored, index: SegmentIndex) {
  const { channel, segment } = index;
  const change = entryOf(segments, `${channel}\n${segment}`, (): SegmentChange => ({
    channel,
    segment,
    posts: 0,
    bytes: 0,
    operations: 0,
    own: false,
  }));
  if (own) {
    change.own = true;
    change.posts += index.posts.length;
    change.bytes += row.entry.kind === 'update' ? row.entry.bytes.length : 0;
    change.operations += index.operations;
  }
  for (const { t } of index.posts) widen(change, { first: t, last: t });
}

function addToState(states: Map<string, StateChange>, { row: { entry } }: Authored): void {
  if (entry.kind === 'cells' && entry.cells.length === 0) return;
  const name = entry.kind === 'cells' ? entry.scope : entry.name;
  const change = entryOf(states, name, () => ({ name, bucket: bucketOf(name), rows: 0, bytes: 0 }));
  if (entry.kind === 'cells') return;
  change.rows++;
  change.bytes += entry.bytes.length;
}

function addTouched(touched: Map<string, Touched>, { own }: Authored, index: SegmentIndex): void {
  const { channel, segment } = index;
  const of = (id: string): Touched =>
    entryOf(touched, `${channel}\n${id}`, (): Touched => ({
      channel,
      id,
      posted: new Set(),
      edited: new Set(),
      deleted: new Set(),
      deletedByPeer: false,
    }));
  for (const { id } of index.posts) of(id).posted.add(segment);
  for (const id of index.edits) of(id).edited.add(segment);
  for (const id of index.deletes) {
    const message = of(id);
    message.deleted.add(segment);
    message.deletedByPeer ||= !own;
  }
}

/** Stretches a range of order times over another one. */
export function widen(range: { first?: string; last?: string }, by: { first?: string; last?: string }): void {
  if (by.first !== undefined && (range.first === undefined || compareText(by.first, range.first) < 0))
    range.first = by.first;
  if (by.last !== undefined && (range.last === undefined || compareText(by.last, range.last) > 0))
    range.last = by.last;
}

/** The value at a key, made and put there when it is missing. */
export function entryOf<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const held = map.get(key);
  if (held !== undefined) return held;
  const made = make();
  map.set(key, made);
  return made;
}

const inOrder = <V>(map: Map<string, V>, order: (a: V, b: V) => number): V[] => [...map.values()].sort(order);
