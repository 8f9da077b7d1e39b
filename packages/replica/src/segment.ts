import * as Y from 'yjs';

/**
 * A post as it stands in `m` under `id|t`: author, body, origin (the region that took it), root of its
 * thread, and 1 for a reply that is shown in the channel too. Short names: they are stored once per message.
 */
export type PostValue = { a: string; b: string; o: string; r?: string; c?: 1 };
/** An edit as it stands in `e` under `id|command`. */
export type EditValue = { b: string; v: number };

/** What one segment knows of a message. */
export type Copy = {
  id: string;
  /** Smallest first: the first one is the message, later ones are copies of it. */
  posts: { t: string; value: PostValue }[];
  edits: { command: string; value: EditValue }[];
  deleted: boolean;
};

type Entry = { posts: Set<string>; edits: Set<string> };

const keyOf = (id: string, part: string): string => `${id}|${part}`;

/** Bytes that a write of this text adds to a segment, about: UTF-8, its key and the struct. */
export const sizeOf = (text: string): number => 160 + new TextEncoder().encode(text).length;

/** Where a write of a document is: the state vector reaches it at `clock`. */
export type Position = { client: number; clock: number };

/**
 * A segment document: root maps `m` (posts), `e` (edits), `x` (sticky deletes), plain values, and
 * every key written once, so that Yjs' own tie-break never decides anything. Keeps an index by
 * message id beside the document, which sees local writes at once (a Yjs observer would only at
 * the end of the transaction).
 */
export class Segment {
  readonly doc: Y.Doc;
  readonly #m: Y.Map<PostValue>;
  readonly #e: Y.Map<EditValue>;
  readonly #x: Y.Map<1>;
  readonly #index = new Map<string, Entry>();
  #size = 0;

  constructor(doc: Y.Doc) {
    this.doc = doc;
    this.#m = doc.getMap('m');
    this.#e = doc.getMap('e');
    this.#x = doc.getMap('x');
    for (const key of this.#m.keys()) this.#note('posts', key);
    for (const key of this.#e.keys()) this.#note('edits', key);
    this.#m.observe((event) => this.#follow('posts', event.changes.keys));
    this.#e.observe((event) => this.#follow('edits', event.changes.keys));
  }

  /** Messages that live here, deleted ones not counted. */
  get size(): number {
    return this.#size;
  }

  ids(): IterableIterator<string> {
    return this.#index.keys();
  }

  deletedIds(): IterableIterator<string> {
    return this.#x.keys();
  }

  has(id: string): boolean {
    return (this.#index.get(id)?.posts.size ?? 0) > 0;
  }

  /** Is a post or an edit of it here? */
  knows(id: string): boolean {
    return this.#index.has(id);
  }

  isDeleted(id: string): boolean {
    return this.#x.has(id);
  }

  copy(id: string): Copy {
    const entry = this.#index.get(id);
    const posts = [...(entry?.posts ?? [])]
      .map((t) => ({ t, value: this.#m.get(keyOf(id, t))! }))
      .sort((a, b) => (a.t < b.t ? -1 : 1));
    const edits = [...(entry?.edits ?? [])].map((command) => ({
      command,
      value: this.#e.get(keyOf(id, command))!,
    }));
    return { id, posts, edits, deleted: this.isDeleted(id) };
  }

  post(id: string, t: string, value: PostValue): Position {
    this.#m.set(keyOf(id, t), value);
    this.#note('posts', keyOf(id, t));
    return this.#position(this.#m, keyOf(id, t));
  }

  /** Writes an edit once; a repeat finds it written. */
  edit(id: string, command: string, value: EditValue): Position {
    const key = keyOf(id, command);
    if (!this.#e.has(key)) {
      this.#e.set(key, value);
      this.#note('edits', key);
    }
    return this.#position(this.#e, key);
  }

  /** Sticky delete: sets `x` once and removes what is left of the message. */
  delete(id: string): Position {
    if (!this.#x.has(id)) this.#x.set(id, 1);
    this.sweep(id);
    return this.#position(this.#x, id);
  }

  /** Removes posts and edits that stand beside an `x`. True when there were any. */
  sweep(id: string): boolean {
    const entry = this.#index.get(id);
    if (entry === undefined) return false;
    for (const t of entry.posts) this.#m.delete(keyOf(id, t));
    for (const command of entry.edits) this.#e.delete(keyOf(id, command));
    if (entry.posts.size > 0) this.#size--;
    this.#index.delete(id);
    return true;
  }

  /** Removes edits, by command, and copies, by `t`, of a message that stays; see prune.ts for which may go. */
  prune(id: string, commands: readonly string[], times: readonly string[]): void {
    for (const command of commands) this.#remove('edits', keyOf(id, command));
    for (const t of times) this.#remove('posts', keyOf(id, t));
  }

  /** Where the posts of a message are that stand here. */
  postPositions(id: string): Position[] {
    return [...(this.#index.get(id)?.posts ?? [])].map((t) => this.#position(this.#m, keyOf(id, t)));
  }

  /** Where a message's first copy (or its deletion) is; for the token of a repeated command. */
  positionOf(id: string): Position | undefined {
    if (this.isDeleted(id)) return this.#position(this.#x, id);
    const first = this.copy(id).posts[0];
    return first === undefined ? undefined : this.#position(this.#m, keyOf(id, first.t));
  }

  #remove(part: keyof Entry, key: string): void {
    (part === 'posts' ? this.#m : this.#e).delete(key);
    this.#forget(part, key);
  }

  #position(map: Pick<Y.Map<never>, '_map'>, key: string): Position {
    // The struct behind a map key has no public accessor; `_map` is what Yjs itself walks.
    const { client, clock } = map._map.get(key)!.id;
    return { client, clock: clock + 1 };
  }

  #follow(part: keyof Entry, changed: Y.YEvent<never>['changes']['keys']): void {
    for (const [key, { action }] of changed)
      if (action === 'delete') this.#forget(part, key);
      else this.#note(part, key);
  }

  #note(part: keyof Entry, key: string): void {
    const [id, tail] = splitKey(key);
    // Nobody of ours writes such a key; a peer's nonsense must not stop the readers of a channel.
    if (tail === '') return;
    let entry = this.#index.get(id);
    if (entry === undefined) this.#index.set(id, (entry = { posts: new Set(), edits: new Set() }));
    if (part === 'posts' && entry.posts.size === 0) this.#size++;
    entry[part].add(tail);
  }

  #forget(part: keyof Entry, key: string): void {
    const [id, tail] = splitKey(key);
    const entry = this.#index.get(id);
    if (entry === undefined || !entry[part].delete(tail)) return;
    if (part === 'posts' && entry.posts.size === 0) this.#size--;
    if (entry.posts.size + entry.edits.size === 0) this.#index.delete(id);
  }
}

/** `id|t` or `id|command` taken apart. */
export function splitKey(key: string): [id: string, tail: string] {
  const bar = key.indexOf('|');
  return bar < 0 ? [key, ''] : [key.slice(0, bar), key.slice(bar + 1)];
}
