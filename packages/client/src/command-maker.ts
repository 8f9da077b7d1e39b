import {
  base64url,
  type AvailabilityMode,
  type ChangeCommand,
  type Command,
  type CommandOf,
  type Deed,
  type Right,
} from '@causeway/protocol';
import type { ClientClock } from './client-clock.ts';

type Parts = {
  /** The workspace's id, not its slug: ids are part of what a command's id hashes. */
  workspace: string;
  member: string;
  clock: ClientClock;
  randomBytes(count: number): Uint8Array;
};

/** Makes commands. Nonce and `v` are drawn here, once; a retry sends the very same object. */
export class CommandMaker {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  post(
    channel: string,
    body: string,
    { thread, also = false }: { thread?: string; also?: boolean } = {},
  ): CommandOf<'post'> {
    return {
      kind: 'post',
      ...this.#frame(),
      channel,
      body,
      ...(thread === undefined ? {} : { thread }),
      ...(also ? { also: true } : {}),
    };
  }

  edit(channel: string, message: string, body: string): CommandOf<'edit'> {
    return { kind: 'edit', ...this.#frame(), channel, message, body, v: this.#parts.clock.mint() };
  }

  delete(channel: string, message: string): CommandOf<'delete'> {
    return { kind: 'delete', ...this.#frame(), channel, message };
  }

  react(channel: string, message: string, emoji: string, on: boolean): CommandOf<'react'> {
    return { kind: 'react', ...this.#frame(), channel, message, emoji, on, v: this.#parts.clock.mint() };
  }

  topic(channel: string, topic: string): CommandOf<'topic'> {
    return { kind: 'topic', ...this.#frame(), channel, topic, v: this.#parts.clock.mint() };
  }

  purpose(channel: string, purpose: string): CommandOf<'purpose'> {
    return { kind: 'purpose', ...this.#frame(), channel, purpose, v: this.#parts.clock.mint() };
  }

  pin(channel: string, message: string, on: boolean): CommandOf<'pin'> {
    return { kind: 'pin', ...this.#frame(), channel, message, on, v: this.#parts.clock.mint() };
  }

  /** Joins, mutes or stars a channel, or takes that back. */
  switch<K extends 'join' | 'mute' | 'star'>(kind: K, channel: string, on: boolean): CommandOf<K> {
    return { kind, ...this.#frame(), channel, on, v: this.#parts.clock.mint() } as CommandOf<K>;
  }

  follow(channel: string, message: string, on: boolean): CommandOf<'follow'> {
    return { kind: 'follow', ...this.#frame(), channel, message, on, v: this.#parts.clock.mint() };
  }

  unread(channel: string, message: string | undefined): CommandOf<'unread'> {
    const from = message === undefined ? {} : { message };
    return { kind: 'unread', ...this.#frame(), channel, ...from, v: this.#parts.clock.mint() };
  }

  draft(channel: string, thread: string | undefined, body: string): CommandOf<'draft'> {
    const where = thread === undefined ? { channel } : { channel, thread };
    return { kind: 'draft', ...this.#frame(), ...where, body, v: this.#parts.clock.mint() };
  }

  availability(mode: AvailabilityMode, until: number | undefined): CommandOf<'availability'> {
    const end = until === undefined ? {} : { until };
    return { kind: 'availability', ...this.#frame(), mode, ...end, v: this.#parts.clock.mint() };
  }

  direct(members: readonly string[]): CommandOf<'direct'> {
    const all = [...new Set([...members, this.#parts.member])].sort();
    return { kind: 'direct', ...this.#frame(), members: all, v: this.#parts.clock.mint() };
  }

  schedule(post: CommandOf<'post'>, at: number): CommandOf<'schedule'> {
    return { kind: 'schedule', ...this.#frame(), post, at, v: this.#parts.clock.mint() };
  }

  unschedule(post: string): CommandOf<'unschedule'> {
    return { kind: 'unschedule', ...this.#frame(), post, v: this.#parts.clock.mint() };
  }

  retitle(canvas: string, title: string): CommandOf<'retitle'> {
    return { kind: 'retitle', ...this.#frame(), canvas, title, v: this.#parts.clock.mint() };
  }

  share(canvas: string, to: string, right: Right): CommandOf<'share'> {
    return { kind: 'share', ...this.#frame(), canvas, to, right, v: this.#parts.clock.mint() };
  }

  version(canvas: string, title: string): CommandOf<'version'> {
    return { kind: 'version', ...this.#frame(), canvas, title, v: this.#parts.clock.mint() };
  }

  restore(canvas: string, version: string): CommandOf<'restore'> {
    return { kind: 'restore', ...this.#frame(), canvas, version, v: this.#parts.clock.mint() };
  }

  read(channel: string, markers: CommandOf<'read'>['markers']): CommandOf<'read'> {
    return { kind: 'read', ...this.#frame(), channel, markers };
  }

  canvas(title: string): CommandOf<'canvas'> {
    return { kind: 'canvas', ...this.#frame(), title, v: this.#parts.clock.mint() };
  }

  /** A strong change. */
  change(deed: Deed): ChangeCommand {
    return { kind: 'change', ...this.#frame(), deed };
  }

  /** A new command that asks for the same, for one that was refused as it was. */
  again(command: Command): Command {
    const fresh = { ...command, nonce: this.#nonce() };
    return 'v' in fresh ? { ...fresh, v: this.#parts.clock.mint() } : fresh;
  }

  #frame(): { workspace: string; member: string; nonce: string } {
    const { workspace, member } = this.#parts;
    return { workspace, member, nonce: this.#nonce() };
  }

  #nonce(): string {
    return base64url(this.#parts.randomBytes(16));
  }
}
