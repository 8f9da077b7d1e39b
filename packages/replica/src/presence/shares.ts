import { BOUNDS, TIMES } from './bounds.ts';
import { processKey } from './elsewhere.ts';
import type { Announcement, Question } from './wire.ts';

/** Hears what other processes say about a topic; a process is named by a key that dies with it. */
export type ShareListener = {
  /** What changed of a process' part, or all of it (`isWhole`): nothing when the payload is empty. */
  heard(process: string, payload: Uint8Array, isWhole: boolean): void;
  /** Nothing that this process said counts any more. */
  gone(process: string): void;
  /** What changed of our own part since it was asked last; undefined for nothing. */
  changes(): Uint8Array | undefined;
  /** All of our own part. */
  whole(): Uint8Array;
  /** A word of another process to all that share the topic in this region. */
  word(payload: Uint8Array): void;
};

/** A topic of which every process says its part, such as the cursors of its sockets in a canvas. */
export interface Share {
  /** There are changes; they are asked for within 50 ms. */
  changed(): void;
  /** Says a word to the processes of that one's region. */
  tell(process: string, word: Uint8Array): void;
  close(): void;
}

type Part = { region: string; process: string; latest: number; heardAt: number; isEmpty: boolean };
type Topic = {
  listener: ShareListener;
  parts: Map<string, Part>;
  /** Number of our last word, 0 before there was one. */
  said: number;
  hasChanges: boolean;
  /** Somebody asked for our part. */
  isAsked: boolean;
  /** How often it was told whole in this beat. */
  wholes: number;
  stop(): void;
};

type Said = Announcement & { kind: 'part' | 'whole' };

type Parts = {
  process: string;
  regions: readonly string[];
  attend(topic: string): () => void;
  announce(topic: string, said: Said): void;
  ask(region: string, question: Question): void;
  hears(region: string, process: string): boolean;
  /** Something waits to be told. */
  later(): void;
};

/**
 * The topics that this process shares. A listener's part replaces what the process said before when
 * it is whole; between, each word names the one before it, and a gap makes us ask for the whole.
 */
export class Shares {
  readonly #parts: Parts;
  readonly #topics = new Map<string, Topic>();
  /** Those of which something is to be told. */
  readonly #waiting = new Set<string>();
  #n = 0;
  #beat = 0;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#topics.size;
  }

  /** This process has said something about some topic: it has to live on for others. */
  get hasSpoken(): boolean {
    return this.#n > 0;
  }

  /** A topic is shared once at a time. Undefined when this process shares too many. */
  open(topic: string, listener: ShareListener): Share | undefined {
    if (this.#topics.size >= BOUNDS.topics || this.#topics.has(topic)) return undefined;
    const shared: Topic = {
      listener,
      parts: new Map(),
      said: 0,
      hasChanges: false,
      isAsked: false,
      wholes: 0,
      stop: this.#parts.attend(topic),
    };
    this.#topics.set(topic, shared);
    for (const region of this.#parts.regions) this.#askAll(region, undefined, [topic]);
    return {
      changed: () => {
        shared.hasChanges = true;
        this.#waiting.add(topic);
        this.#parts.later();
      },
      tell: (process, payload) => {
        const region = shared.parts.get(process)?.region;
        if (region !== undefined) this.#parts.ask(region, { kind: 'word', topic, payload });
      },
      close: () => {
        if (this.#topics.get(topic) !== shared) return;
        this.#topics.delete(topic);
        this.#waiting.delete(topic);
        shared.stop();
        if (shared.said > 0) this.#sayNothing(topic);
      },
    };
  }

  take(region: string, topic: string, said: Said): void {
    const shared = this.#topics.get(topic);
    if (shared === undefined || !this.#parts.hears(region, said.process)) return;
    const key = processKey(region, said.process);
    const part = shared.parts.get(key);
    const latest = part?.latest ?? 0;
    // The same whole may come again, since two of us asked for it.
    if (said.n < latest || (said.n === latest && said.kind === 'part')) return;
    const isWhole = said.kind === 'whole';
    const isEmpty = isWhole && said.payload.length === 0;
    shared.parts.set(key, {
      region,
      process: said.process,
      latest: said.n,
      heardAt: this.#beat,
      isEmpty,
    });
    shared.listener.heard(key, said.payload, isWhole);
    if (said.kind === 'part' && said.after !== latest) this.#askAll(region, said.process, [topic]);
  }

  asked(question: Question & { kind: 'topics' | 'word' }): void {
    if (question.kind === 'word') return this.#topics.get(question.topic)?.listener.word(question.payload);
    const { process, topics } = question;
    if (process !== undefined && process !== this.#parts.process) return;
    for (const topic of topics) {
      const shared = this.#topics.get(topic);
      if (shared !== undefined) {
        shared.isAsked = true;
        this.#waiting.add(topic);
      }
      // Somebody believes that we still say something about it.
      else if (process !== undefined) this.#sayNothing(topic);
    }
    this.#parts.later();
  }

  /** What a region said may have been missed: those who share are asked, and those who did, by name. */
  opened(region: string): void {
    this.#askAll(region, undefined, [...this.#topics.keys()]);
    const byProcess = new Map<string, string[]>();
    for (const [topic, { parts }] of this.#topics)
      for (const part of parts.values()) {
        if (part.region !== region || part.isEmpty) continue;
        const topics = byProcess.get(part.process);
        if (topics === undefined) byProcess.set(part.process, [topic]);
        else topics.push(topic);
      }
    for (const [process, topics] of byProcess) this.#askAll(region, process, topics);
  }

  gone(process: string): void {
    for (const { parts, listener } of this.#topics.values())
      if (parts.delete(process)) listener.gone(process);
  }

  /** Tells what waits: whole parts to those who asked, a few times a second at most, else what changed. */
  tell(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const topic of waiting) {
      const shared = this.#topics.get(topic);
      if (shared === undefined) continue;
      if (shared.isAsked && shared.wholes < BOUNDS.wholesInBeat) this.#tellWhole(topic, shared);
      else if (shared.hasChanges) this.#tellChanges(topic, shared);
      if (shared.isAsked) this.#waiting.add(topic);
    }
  }

  /** To be called once a second. */
  beat(): void {
    this.#beat++;
    if (this.#waiting.size > 0) this.#parts.later();
    for (const [topic, shared] of this.#topics) {
      shared.wholes = 0;
      for (const part of shared.parts.values()) {
        if (part.isEmpty || this.#beat - part.heardAt < TIMES.silentBeats) continue;
        // Living clients renew their state: a last word may have been lost, after which no other one comes.
        part.heardAt = this.#beat;
        this.#askAll(part.region, part.process, [topic]);
      }
    }
  }

  #tellWhole(topic: string, shared: Topic): void {
    shared.isAsked = false;
    shared.hasChanges = false;
    shared.wholes++;
    shared.listener.changes();
    const payload = shared.listener.whole();
    if (payload.length === 0 && shared.said === 0) return;
    this.#say(topic, shared, { kind: 'whole', payload });
  }

  #tellChanges(topic: string, shared: Topic): void {
    shared.hasChanges = false;
    const payload = shared.listener.changes();
    if (payload !== undefined) this.#say(topic, shared, { kind: 'part', payload, after: shared.said });
  }

  #say(
    topic: string,
    shared: Topic,
    what: { kind: 'whole'; payload: Uint8Array } | { kind: 'part'; payload: Uint8Array; after: number },
  ): void {
    shared.said = ++this.#n;
    this.#parts.announce(topic, { ...what, process: this.#parts.process, n: shared.said });
  }

  #sayNothing(topic: string): void {
    const { process } = this.#parts;
    this.#parts.announce(topic, { kind: 'whole', process, n: ++this.#n, payload: NOTHING });
  }

  #askAll(region: string, process: string | undefined, topics: readonly string[]): void {
    const asked = process === undefined ? {} : { process };
    for (let at = 0; at < topics.length; at += BOUNDS.entries)
      this.#parts.ask(region, { kind: 'topics', ...asked, topics: topics.slice(at, at + BOUNDS.entries) });
  }
}

const NOTHING = new Uint8Array();
