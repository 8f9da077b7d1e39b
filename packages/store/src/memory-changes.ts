import { compareText, type Cell } from '@causeway/protocol';
import { type Change, type Changes, type MessagePlace, type MessageRow } from '@causeway/replica';

type Marked = { high: number; at: number; low: number; whole: number };

/** What events of one zone are read from: as Postgres has it in columns and triggers of other tables. */
export class MemoryChanges {
  /** By what they are about, in order of commits. */
  readonly #latest = new Map<string, Change>();
  /** Deleted messages by place. */
  readonly #gone = new Set<string>();
  readonly heard = new Map<string, { sentAt: number; commit: number }>();
  #marks: Marked[] = [];
  #forgotten = 0;

  message(row: MessageRow, commit: number): void {
    const { reactions: _, ...message } = row.message;
    this.#put(placeOf('message', row.channel, row.message.id), {
      commit,
      kind: 'message',
      row: { channel: row.channel, message },
    });
  }

  /** `wasShown`: it was in the view; otherwise only the first time counts. */
  gone({ channel, id }: MessagePlace, commit: number, wasShown: boolean): void {
    this.#latest.delete(placeOf('message', channel, id));
    const place = placeOf('gone', channel, id);
    if (this.#gone.has(place) && !wasShown) return;
    this.#gone.add(place);
    this.#put(place, { commit, kind: 'gone', place: { channel, id } });
  }

  cell(cell: Cell, commit: number): void {
    const isPrivate = cell.scope.split('/')[1] === 'member' && !SHARED.has(cell.key.split('|')[0]!);
    if (!isPrivate) this.#put(placeOf('cell', cell.scope, cell.key), { commit, kind: 'cell', cell });
  }

  changes(workspaces: readonly string[], after: number, limit: number, horizon: number): Changes {
    const found = [...this.#latest.values()]
      .filter((change) => change.commit > after && workspaces.includes(nameOf(change).split('/')[0]!))
      .sort(
        (a, b) => a.commit - b.commit || compareText(nameOf(a), nameOf(b)) || compareText(keyOf(a), keyOf(b)),
      );
    const cut = found.length > limit ? found[limit - 1]!.commit : Math.max(after, horizon);
    return {
      changes: structuredClone(found.filter(({ commit }) => commit <= cut)),
      to: cut,
      forgotten: this.#forgotten,
    };
  }

  forgetGone(keep: number): number {
    const oldest = [...this.#gone].slice(0, Math.max(0, this.#gone.size - keep));
    // Whole commits, as Postgres does.
    const cut = oldest.length === 0 ? -1 : this.#latest.get(oldest.at(-1)!)!.commit;
    const removed = [...this.#gone].filter((place) => this.#latest.get(place)!.commit <= cut);
    for (const place of removed) {
      this.#gone.delete(place);
      this.#latest.delete(place);
    }
    this.#forgotten = Math.max(this.#forgotten, cut);
    return removed.length;
  }

  mark(mark: Marked, since: number): void {
    this.#marks = this.#marks.filter(({ at }) => at >= since);
    if (!this.#marks.some(({ high, at }) => high === mark.high && at === mark.at)) this.#marks.push(mark);
  }

  wholeAt(commit: number): number {
    const below = this.#marks.filter(({ high }) => high <= commit);
    return below.sort((a, b) => b.high - a.high || b.at - a.at)[0]?.whole ?? 0;
  }

  lowAt(time: number): number | undefined {
    const before = this.#marks.filter(({ at }) => at <= time);
    return before.sort((a, b) => b.at - a.at || a.high - b.high)[0]?.low;
  }

  #put(place: string, change: Change): void {
    this.#latest.delete(place);
    this.#latest.set(place, change);
    if (change.kind !== 'gone') return;
    // In the order of commits, for forgetGone.
    this.#gone.delete(place);
    this.#gone.add(place);
  }
}

const SHARED = new Set(['joined', 'direct']);

const placeOf = (kind: Change['kind'], name: string, key: string): string => `${kind}\n${name}\n${key}`;
const nameOf = (change: Change): string =>
  change.kind === 'cell'
    ? change.cell.scope
    : change.kind === 'gone'
      ? change.place.channel
      : change.row.channel;
const keyOf = (change: Change): string =>
  change.kind === 'cell'
    ? change.cell.key
    : change.kind === 'gone'
      ? change.place.id
      : change.row.message.t + change.row.message.id;
