import type { Typing } from '@causeway/protocol';
import { BOUNDS, TIMES } from './bounds.ts';
import type { Announcement } from './wire.ts';

/** Hears that somebody types, and again whenever they say so again: it lasts for 6 s from then. */
export type TypingListener = (typing: Typing) => void;

type Said = Announcement & { kind: 'typing' };
type Channel = {
  channel: string;
  listeners: Set<TypingListener>;
  /** By member and thread, until when. */
  typing: Map<string, { said: Said; until: number }>;
  stop(): void;
};

type Parts = {
  now(): number;
  attend(topic: string): () => void;
  announce(topic: string, said: Said): void;
};

const topicOf = (workspace: string, channel: string): string => `${workspace}/typing/${channel}`;
const typistOf = ({ member, thread }: Said): string => `${member}|${thread ?? ''}`;

/** Who types where. Nothing ends it but time, so nobody types for ever after their process was killed. */
export class TypingPeople {
  readonly #parts: Parts;
  readonly #channels = new Map<string, Channel>();
  /** When this process last announced somebody. */
  readonly #announced = new Map<string, number>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  type(workspace: string, channel: string, member: string, thread?: string): void {
    const topic = topicOf(workspace, channel);
    const said: Said = { kind: 'typing', member, ...(thread === undefined ? {} : { thread }) };
    const typist = `${topic}|${typistOf(said)}`;
    const now = this.#parts.now();
    const before = this.#announced.get(typist) ?? -Infinity;
    if (now >= before && now - before < TIMES.typingEveryMs) return;
    this.#announced.delete(typist);
    this.#announced.set(typist, now);
    if (this.#announced.size > BOUNDS.typists) this.#announced.delete(this.#announced.keys().next().value!);
    this.#parts.announce(topic, said);
    this.heard(topic, said);
  }

  /** Tells of those who type now, then of everybody who does; returns how to end it. */
  watch(workspace: string, channel: string, listener: TypingListener): () => void {
    const topic = topicOf(workspace, channel);
    let watched = this.#channels.get(topic);
    if (watched === undefined) {
      watched = { channel, listeners: new Set(), typing: new Map(), stop: this.#parts.attend(topic) };
      this.#channels.set(topic, watched);
    }
    const { listeners, typing, stop } = watched;
    const hear: TypingListener = (said) => listener(said);
    listeners.add(hear);
    for (const { said, until } of typing.values())
      if (this.#parts.now() < until) hear(typingOf(channel, said));
    return () => {
      if (!listeners.delete(hear) || listeners.size > 0) return;
      this.#channels.delete(topic);
      stop();
    };
  }

  heard(topic: string, said: Said): void {
    const watched = this.#channels.get(topic);
    if (watched === undefined) return;
    const { typing, listeners, channel } = watched;
    const now = this.#parts.now();
    typing.delete(typistOf(said));
    for (const [typist, { until }] of typing) if (now >= until) typing.delete(typist);
    if (typing.size >= BOUNDS.typing) return;
    typing.set(typistOf(said), { said, until: now + TIMES.typingMs });
    for (const listener of listeners) listener(typingOf(channel, said));
  }
}

const typingOf = (channel: string, { member, thread }: Said): Typing => ({
  channel,
  member,
  ...(thread === undefined ? {} : { thread }),
});
