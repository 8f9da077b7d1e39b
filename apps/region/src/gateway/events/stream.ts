import { compareText, type Right, type Sign } from '@causeway/protocol';
import type { CanvasRights, Change, Feed, FeedCursor, FeedPage } from '@causeway/replica';
import type { Outgoing, Source } from '../outgoing.ts';
import { encodeCursor, nameOf } from './cursor.ts';
import { eventOf } from './event.ts';
import type { HeardChannels } from './heard-channels.ts';

/** A socket that has more than this to write is behind: it goes on from the store when it has written. Bytes. */
const BEHIND_BYTES = 512 * 1024;
/** Written at a time while it catches up, bytes. */
const PORTION_BYTES = 128 * 1024;
/** Changes that are caught up with; beyond it a client reads what it shows by REST. */
const CATCH_UP = 10_000;

export type StreamParts = {
  workspace: string;
  member: string;
  region: string;
  feed: Feed;
  channels: HeardChannels;
  rights: Pick<CanvasRights, 'of' | 'known'>;
  outgoing: Outgoing;
  /** The next number of a frame. */
  next(): number;
  failed(cause: unknown): void;
};

/** In the middle of a commit: the last change of it that was told. */
type Inside = { commit: number; name: string; key: string };

/**
 * The events of one connection, from a commit on. It keeps no queue: while it is level with the feed
 * it is told what is new; when its reader is slow, or was away, it reads from the store what comes
 * after its place, a portion whenever the socket has written the last one.
 */
export class EventStream implements Source {
  readonly #parts: StreamParts;
  #database = '';
  #position = 0;
  #inside: Inside | undefined;
  #whole = 0;
  #isBehind = true;
  /** It is to be said that it is level with the feed, once it is. */
  #isResumed = false;
  #caughtUp = 0;
  #stop: () => void = () => undefined;
  #isOver = false;

  constructor(parts: StreamParts) {
    this.#parts = parts;
  }

  /** Where a client goes on that has all that was written so far. */
  get cursor(): string {
    return this.#encode(this.#position, this.#whole);
  }

  /** Finds its place; why the cursor is of no use any more, if it is not. */
  async begin(cursor: FeedCursor | undefined): Promise<string | undefined> {
    const { feed } = this.#parts;
    this.#database = await feed.database();
    const isOurs = cursor?.database === nameOf(this.#database);
    const place =
      cursor === undefined
        ? undefined
        : await feed.resume({ ...cursor, database: isOurs ? this.#database : cursor.database });
    this.#position = place ?? (await feed.head());
    this.#isResumed = place !== undefined;
    if (place !== undefined && place === cursor?.commit && isOurs) this.#whole = cursor.whole;
    return cursor !== undefined && place === undefined
      ? 'this region does not know what came after it'
      : undefined;
  }

  /** Says events from now on. */
  async start(): Promise<void> {
    const { feed, workspace, outgoing } = this.#parts;
    const stop = await feed.listen(workspace, (page) => this.#hear(page));
    if (this.#isOver) return stop();
    this.#stop = stop;
    outgoing.owe(this);
  }

  close(): void {
    this.#isOver = true;
    this.#stop();
    this.#parts.outgoing.forget(this);
  }

  /** Says it only where it would not wait. */
  sayUnlessBehind(frame: () => object): void {
    if (this.#isBehind || this.#parts.outgoing.backlog > BEHIND_BYTES) return;
    this.#parts.outgoing.say(JSON.stringify(frame()), 'soon');
  }

  lost(): void {
    // Nothing of it waits in the queue as an update, so nothing can get lost there.
  }

  /**
   * One portion from the store; true once it is level with the feed. It goes through the queue, behind what
   * was said before, since an older event must not follow a newer one.
   */
  async catchUp(): Promise<boolean> {
    if (!this.#isBehind || this.#isOver) return true;
    const { feed, workspace, channels } = this.#parts;
    const page = await feed.read(workspace, this.#position);
    if (this.#isOver) return true;
    if (page.expired || this.#caughtUp > CATCH_UP) {
      await this.#startOver(
        page.expired ? 'deletions were forgotten' : `more than ${CATCH_UP} things changed`,
      );
      return false;
    }
    this.#whole = Math.max(this.#whole, page.whole);
    const portion: string[] = [];
    let left = PORTION_BYTES;
    const isAll = await this.#tell(
      page,
      (change) => channels.follow(change),
      (text) => {
        portion.push(text);
        left -= text.length;
        return left > 0;
      },
    );
    if (this.#isOver) return true;
    this.#sayAll(portion);
    // What was committed meanwhile the feed may have told to others already.
    if (!isAll || this.#position < feed.position || page.changes.length > 0) return false;
    this.#isBehind = false;
    this.#caughtUp = 0;
    if (this.#isResumed) this.#sayAll([this.#sign({ event: 'caught-up', cursor: this.cursor })]);
    this.#isResumed = false;
    return true;
  }

  /** Gathered into one write. */
  #sayAll(texts: readonly string[]): void {
    const { outgoing } = this.#parts;
    for (const text of texts.slice(0, -1)) outgoing.say(text, 'soon');
    if (texts.length > 0) outgoing.say(texts.at(-1)!, 'now');
  }

  /** What the feed read for all who listen. */
  #hear(page: FeedPage): void {
    if (this.#isOver || this.#isBehind) return;
    const { outgoing, channels, failed } = this.#parts;
    const mustLook = page.changes.some((change) => channels.isMine(change) || this.#mustAsk(change));
    const isAhead = page.from > this.#position || page.expired;
    if (isAhead || mustLook || outgoing.backlog > BEHIND_BYTES) return this.#fallBehind();
    this.#whole = Math.max(this.#whole, page.whole);
    try {
      const isWhole = this.#tellNow(page, (text) => {
        outgoing.say(text, 'soon');
        return outgoing.backlog <= BEHIND_BYTES;
      });
      if (!isWhole) this.#fallBehind();
    } catch (error) {
      failed(error);
    }
  }

  #fallBehind(): void {
    this.#isBehind = true;
    this.#parts.outgoing.owe(this);
  }

  async #startOver(why: string): Promise<void> {
    this.#position = await this.#parts.feed.head();
    this.#inside = undefined;
    this.#caughtUp = 0;
    this.#isResumed = false;
    this.#sayAll([this.#sign({ event: 'expired', cursor: this.cursor, why })]);
  }

  /** Tells of a page, change by change, until `write` says that it is enough; true when all of it was told. */
  async #tell(
    page: FeedPage,
    before: (change: Change) => Promise<void>,
    write: (text: string) => boolean,
  ): Promise<boolean> {
    const { channels } = this.#parts;
    for (const [at, change] of page.changes.entries()) {
      if (!this.#isNew(change)) continue;
      // From here on the member hears of a channel, or no longer: its own leaving is still told.
      const isMine = channels.isMine(change);
      const couldHear = isMine && this.#isHeard(change);
      if (isMine) await before(change);
      const isSeen = await this.#maySee(change);
      if (this.#isOver) return false;
      this.#caughtUp++;
      const isHeard = isSeen && (couldHear || this.#isHeard(change));
      const isEnough = !this.#one(change, page.changes[at + 1], write, isHeard);
      if (isEnough && at + 1 < page.changes.length) return false;
    }
    this.#arriveAt(page.to);
    return true;
  }

  #tellNow(page: FeedPage, write: (text: string) => boolean): boolean {
    for (const [at, change] of page.changes.entries()) {
      if (!this.#isNew(change)) continue;
      const isHeard = this.#isHeard(change) && this.#rightTo(change) !== 'none';
      const isEnough = !this.#one(change, page.changes[at + 1], write, isHeard);
      if (isEnough && at + 1 < page.changes.length) return false;
    }
    this.#arriveAt(page.to);
    return true;
  }

  /** True when there may be more. */
  #one(
    change: Change,
    next: Change | undefined,
    write: (text: string) => boolean,
    isHeard: boolean,
  ): boolean {
    const isLastOfCommit = next?.commit !== change.commit;
    const behind = isLastOfCommit ? change.commit : this.#position;
    const text = isHeard ? textOf(change) : undefined;
    const frame =
      text === undefined
        ? undefined
        : `{"n":${this.#parts.next()},"cursor":"${this.#encode(behind, this.#whole)}",${text.slice(1)}`;
    if (isLastOfCommit) this.#arriveAt(change.commit);
    else this.#inside = { commit: change.commit, ...placeOf(change) };
    return frame === undefined || write(frame);
  }

  #arriveAt(commit: number): void {
    this.#position = Math.max(this.#position, commit);
    this.#inside = undefined;
  }

  #isNew(change: Change): boolean {
    if (change.commit <= this.#position) return false;
    const inside = this.#inside;
    if (inside === undefined || change.commit !== inside.commit) return true;
    const { name, key } = placeOf(change);
    return (compareText(name, inside.name) || compareText(key, inside.key)) > 0;
  }

  #isHeard(change: Change): boolean {
    const event = eventOf(change, 0);
    if (event === undefined) return false;
    if (event.only !== undefined) return event.only === this.#parts.member;
    return event.channel === undefined || this.#parts.channels.has(event.channel);
  }

  /** Whether the member may see the canvas that this is about has to be read first. */
  #mustAsk(change: Change): boolean {
    return eventOf(change, 0)?.canvas !== undefined && this.#rightTo(change) === undefined;
  }

  async #maySee(change: Change): Promise<boolean> {
    const { rights, workspace, member } = this.#parts;
    const canvas = eventOf(change, 0)?.canvas;
    return canvas === undefined || (await rights.of(workspace, canvas, member)) !== 'none';
  }

  /** To the canvas that this is about, as far as it is in memory. */
  #rightTo(change: Change): Right | undefined {
    const { rights, workspace, member } = this.#parts;
    const canvas = eventOf(change, 0)?.canvas;
    return canvas === undefined ? undefined : rights.known(workspace, canvas, member);
  }

  #encode(commit: number, whole: number): string {
    const { region } = this.#parts;
    return encodeCursor({ region, database: this.#database, commit, whole });
  }

  #sign(sign: Sign): string {
    return JSON.stringify({ n: this.#parts.next(), ...sign });
  }
}

const texts = new WeakMap<Change, string>();

/** The event as text, made once for all who hear it. */
function textOf(change: Change): string | undefined {
  let text = texts.get(change);
  if (text !== undefined) return text;
  const event = eventOf(change, Date.now());
  if (event === undefined) return undefined;
  text = JSON.stringify({ id: event.id, ...event.body });
  texts.set(change, text);
  return text;
}

/** In the order in which a commit is listed, see Store.changes. */
const placeOf = (change: Change): { name: string; key: string } => {
  if (change.kind === 'cell') return { name: change.cell.scope, key: change.cell.key };
  if (change.kind === 'gone') return { name: change.place.channel, key: change.place.id };
  const { channel, message } = change.row;
  return { name: channel, key: message.t + message.id };
};
