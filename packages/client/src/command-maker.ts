import { base64url, type Command, type CommandOf } from '@causeway/protocol';
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

  post(channel: string, body: string, thread?: string): CommandOf<'post'> {
    return {
      kind: 'post',
      ...this.#frame(),
      channel,
      body,
      ...(thread === undefined ? {} : { thread }),
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

  read(channel: string, markers: CommandOf<'read'>['markers']): CommandOf<'read'> {
    return { kind: 'read', ...this.#frame(), channel, markers };
  }

  canvas(title: string): CommandOf<'canvas'> {
    return { kind: 'canvas', ...this.#frame(), title, v: this.#parts.clock.mint() };
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
