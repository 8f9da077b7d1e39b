import { draftKey, type OwnCells } from './own-cells.ts';
import { Store, type Observable } from './store.ts';

/** Texts that were begun, by `<channel>` or `<channel>|<thread>`. */
export type DraftTexts = ReadonlyMap<string, string>;

/** A draft is sent when its writer pauses for so long, milliseconds. */
const PAUSE_MS = 1_000;

/** What this member has begun to write, here and on their other devices. What is being typed here stands. */
export class Drafts implements Observable<DraftTexts> {
  readonly #own: OwnCells;
  readonly #send: (channel: string, thread: string | undefined, body: string) => void;
  readonly #typed = new Map<string, { channel: string; thread: string | undefined; body: string }>();
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>();
  readonly #store = new Store<DraftTexts>(new Map());
  readonly #leave: () => void;

  constructor(own: OwnCells, send: (channel: string, thread: string | undefined, body: string) => void) {
    this.#own = own;
    this.#send = send;
    this.#leave = own.subscribe(() => this.#changed());
  }

  readonly getSnapshot = (): DraftTexts => this.#store.getSnapshot();
  readonly subscribe = (listener: () => void): (() => void) => this.#store.subscribe(listener);

  of(channel: string, thread?: string): string {
    return this.getSnapshot().get(draftKey(channel, thread).slice(PREFIX)) ?? '';
  }

  set(channel: string, body: string, thread?: string): void {
    const key = draftKey(channel, thread).slice(PREFIX);
    if (this.of(channel, thread) === body) return;
    this.#typed.set(key, { channel, thread, body });
    clearTimeout(this.#timers.get(key));
    this.#timers.set(
      key,
      setTimeout(() => this.#flush(key), body === '' ? 0 : PAUSE_MS),
    );
    this.#changed();
  }

  /** Sends what was typed, now. */
  flush(): void {
    for (const key of this.#timers.keys()) this.#flush(key);
  }

  close(): void {
    this.flush();
    this.#leave();
    this.#store.close();
  }

  #flush(key: string): void {
    clearTimeout(this.#timers.get(key));
    this.#timers.delete(key);
    const typed = this.#typed.get(key);
    if (typed === undefined) return;
    this.#typed.delete(key);
    this.#send(typed.channel, typed.thread, typed.body);
    this.#changed();
  }

  #changed(): void {
    const texts = new Map<string, string>();
    for (const [key, value] of this.#own.getSnapshot())
      if (key.startsWith('draft|') && typeof value === 'string') texts.set(key.slice(PREFIX), value);
    for (const [key, { body }] of this.#typed)
      if (body === '') texts.delete(key);
      else texts.set(key, body);
    const before = this.getSnapshot();
    const isSame = before.size === texts.size && [...texts].every(([key, text]) => before.get(key) === text);
    if (!isSame) this.#store.set(texts);
  }
}

const PREFIX = 'draft|'.length;
