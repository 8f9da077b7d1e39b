import type { Cell, Message } from '@causeway/protocol';
import { mergeCell, newestFirst, reactionsIn, unionOf, type Segment } from '@causeway/replica';

type Held = Omit<Cell, 'scope'>;
type Reactions = Record<string, string[]>;

/** Messages whose reactions are kept; those heard of longest ago leave first. */
const SCOPES = 10_000;

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
  #sorted: readonly Message[] | undefined;

  /** `now`: milliseconds since 1970, as servers see it. */
  constructor(now: () => number, changed: () => void) {
    this.#now = now;
    this.#changed = changed;
  }

  /** Oldest first; the same array until something changes. */
  get messages(): readonly Message[] {
    return (this.#sorted ??= [...this.#messages.values()].sort((a, b) => newestFirst(b, a)));
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
          this.#refresh([...keysChanged].filter((key) => key !== null).map((key) => key.split('|', 1)[0]!)),
        );
    this.#refresh([...segment.ids(), ...segment.deletedIds()]);
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
    for (const message of items) this.#pages.set(message.id, combine(message, this.#pages.get(message.id)));
    this.#refresh(items.map(({ id }) => id));
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

  #refresh(ids: readonly string[]): void {
    if (ids.length === 0) return;
    for (const id of new Set(ids)) {
      const message = this.#united(id);
      if (message === undefined) this.#messages.delete(id);
      else this.#messages.set(id, message);
    }
    this.#sorted = undefined;
    this.#changed();
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
    return message === undefined ? undefined : this.#withReactions(message, paged?.reactions ?? {});
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
  return {
    ...bare,
    body: text.body,
    ...(text.editedAt === undefined ? {} : { editedAt: text.editedAt }),
    ...(text.history === undefined ? {} : { history: text.history }),
  };
}
