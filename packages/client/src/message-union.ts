import type { Cell, Message, Replies } from '@causeway/protocol';
import { mergeCell, newestFirst, reactionsIn, unionOf, type Segment } from '@causeway/replica';

type Held = Omit<Cell, 'scope'>;
type Reactions = Record<string, string[]>;

/** Messages whose reactions are kept; those heard of longest ago leave first. */
const SCOPES = 10_000;
const PARTICIPANTS = 20;

/**
 * The messages of a channel from all that is known of them: segments that are followed, pages that
 * were read, cells. Only what a change touches is worked out again, and a message that did not
 * change stays the same object.
 */
export class MessageUnion {
  readonly #now: () => number;
  readonly #changed: () => void;
  readonly #segments = new Map<number, Segment>();
  readonly #pages = new Map<string, Message>();
  readonly #cells = new Map<string, Map<string, Held>>();
  readonly #messages = new Map<string, Message>();
  /** Read for a thread or a pin, from where the channel is not read yet. */
  readonly #aside = new Set<string>();
  /** Messages by the one that they answer. */
  readonly #replies = new Map<string, Set<string>>();
  #sorted: readonly Message[] | undefined;

  /** `now`: milliseconds since 1970, as servers see it. */
  constructor(now: () => number, changed: () => void) {
    this.#now = now;
    this.#changed = changed;
  }

  /** Oldest first; the same array until something changes. */
  get messages(): readonly Message[] {
    return (this.#sorted ??= oldestFirst(
      [...this.#messages.values()].filter(({ id }) => !this.#aside.has(id)),
    ));
  }

  get(id: string): Message | undefined {
    return this.#messages.get(id);
  }

  /** What is known of the replies to a message, oldest first, wherever they were read. */
  repliesTo(root: string): readonly Message[] {
    return oldestFirst([...(this.#replies.get(root) ?? [])].map((id) => this.#messages.get(id)!));
  }

  /** Messages that were read by pages. */
  get paged(): number {
    return this.#pages.size;
  }

  has(id: string): boolean {
    return this.#messages.has(id);
  }

  /** Follows a segment: its messages are here as long as it is, and change with it. */
  addSegment(number: number, segment: Segment): void {
    this.#segments.set(number, segment);
    for (const root of ['m', 'e', 'x'])
      segment.doc
        .getMap(root)
        .observe(({ keysChanged }) =>
          this.#followed([...keysChanged].filter((key) => key !== null).map((key) => key.split('|', 1)[0]!)),
        );
    this.#followed([...segment.ids(), ...segment.deletedIds()]);
  }

  /** Stops following a segment; what it held stays as it was last seen. */
  removeSegment(number: number): void {
    const segment = this.#segments.get(number);
    if (segment === undefined) return;
    for (const id of segment.ids()) {
      const message = this.#messages.get(id);
      if (message !== undefined) this.#pages.set(id, message);
    }
    this.#segments.delete(number);
  }

  addPage(items: readonly Message[]): void {
    for (const { id } of items) this.#aside.delete(id);
    this.#addRead(items);
  }

  /** Messages that belong to a page that was not read yet: known, and not among `messages` until it is. */
  addAside(items: readonly Message[]): void {
    for (const { id } of items) if (!this.#messages.has(id)) this.#aside.add(id);
    this.#addRead(items);
  }

  /** What pages said of these is not believed any more. */
  forgetPages(ids: Iterable<string>): void {
    const gone = [...ids].filter((id) => this.#pages.delete(id));
    this.#refresh(gone);
  }

  /** The cells of these messages, as far as they are known. */
  cellsOf(ids: Iterable<string>): Map<string, Held[]> {
    const found = new Map<string, Held[]>();
    for (const id of ids) {
      const cells = this.#cells.get(id);
      if (cells !== undefined) found.set(id, [...cells.values()]);
    }
    return found;
  }

  /** Cells of one message; the larger `(v, value)` wins. */
  addCells(id: string, cells: readonly Held[]): void {
    let held = this.#cells.get(id);
    if (held === undefined) this.#cells.set(id, (held = new Map()));
    if (this.#cells.size > SCOPES) this.#cells.delete(this.#cells.keys().next().value!);
    for (const cell of cells) mergeCell(held, cell);
    this.#refresh([id]);
  }

  /** The `v` of a cell of a message, if there is such a cell. */
  orderOf(id: string, key: string): string | undefined {
    return this.#cells.get(id)?.get(key)?.v;
  }

  #addRead(items: readonly Message[]): void {
    for (const message of items) this.#pages.set(message.id, combine(message, this.#pages.get(message.id)));
    this.#refresh(items.map(({ id }) => id));
  }

  #followed(ids: readonly string[]): void {
    for (const id of ids) this.#aside.delete(id);
    this.#refresh(ids);
  }

  #refresh(ids: readonly string[]): void {
    if (ids.length === 0) return;
    const roots = new Set<string>();
    for (const id of new Set(ids)) {
      const before = this.#messages.get(id);
      const message = this.#united(id);
      const root = (message ?? before)?.thread;
      if (root !== undefined) roots.add(root);
      if (message !== undefined) {
        this.#messages.set(id, message);
        if (root !== undefined) setIn(this.#replies, root).add(id);
      } else if (before !== undefined) {
        this.#messages.delete(id);
        if (root !== undefined) this.#replyGone(root, before);
      }
    }
    for (const root of roots) {
      const message = this.#united(root);
      if (message !== undefined) this.#messages.set(root, message);
    }
    this.#sorted = undefined;
    this.#changed();
  }

  /** A page counted it. */
  #replyGone(root: string, reply: Message): void {
    this.#replies.get(root)?.delete(reply.id);
    const page = this.#pages.get(root);
    if (page?.replies === undefined || reply.t > page.replies.last) return;
    this.#pages.set(root, { ...page, replies: { ...page.replies, count: page.replies.count - 1 } });
  }

  #united(id: string): Message | undefined {
    const copies = [...this.#segments.values()]
      .filter((segment) => segment.knows(id) || segment.isDeleted(id))
      .map((segment) => segment.copy(id));
    if (copies.some(({ deleted }) => deleted)) {
      this.#pages.delete(id);
      return undefined;
    }
    const followed = copies.length === 0 ? undefined : unionOf(copies, this.#now());
    const paged = this.#pages.get(id);
    const message = followed === undefined ? paged : combine(followed, paged);
    if (message === undefined) return undefined;
    return this.#withReplies(this.#withReactions(message, paged?.reactions ?? {}), paged?.replies);
  }

  /** What a page counted, and the replies that came after it. */
  #withReplies(message: Message, counted: Replies | undefined): Message {
    const { replies: _, ...bare } = message;
    const later = this.repliesTo(message.id).filter(({ t }) => t > (counted?.last ?? ''));
    const count = (counted?.count ?? 0) + later.length;
    if (count <= 0) return bare;
    const authors = [...later.map(({ author }) => author).toReversed(), ...(counted?.participants ?? [])];
    const participants = [...new Set(authors)].slice(0, PARTICIPANTS);
    return { ...bare, replies: { count, last: later.at(-1)?.t ?? counted!.last, participants } };
  }

  /** Cells are newer than what a page said of the same key. */
  #withReactions(message: Message, paged: Reactions): Message {
    const { reactions: _, ...bare } = message;
    const cells = [...(this.#cells.get(message.id)?.values() ?? [])];
    const known = new Set(cells.map(({ key }) => key));
    const rest = Object.entries(paged).flatMap(([emoji, members]) =>
      members.map((member) => ({ key: `${emoji}|${member}`, value: true })),
    );
    const reactions = reactionsIn([...rest.filter(({ key }) => !known.has(key)), ...cells]);
    return Object.keys(reactions).length === 0 ? bare : { ...bare, reactions };
  }
}

/** Two views of one message: the smaller `t` is where it is, the larger edit what it says. */
function combine(a: Message, b: Message | undefined): Message {
  if (b === undefined) return a;
  const place = a.t <= b.t ? a : b;
  const text = (a.editedAt ?? 0) >= (b.editedAt ?? 0) ? a : b;
  const { editedAt: _, history: __, ...bare } = place;
  const replies = a.replies ?? b.replies;
  return {
    ...bare,
    ...(replies === undefined ? {} : { replies }),
    body: text.body,
    ...(text.editedAt === undefined ? {} : { editedAt: text.editedAt }),
    ...(text.history === undefined ? {} : { history: text.history }),
  };
}

const oldestFirst = (messages: Message[]): Message[] => messages.sort((a, b) => newestFirst(b, a));

const setIn = (sets: Map<string, Set<string>>, key: string): Set<string> => {
  const set = sets.get(key) ?? new Set();
  sets.set(key, set);
  return set;
};
