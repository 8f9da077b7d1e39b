import { commandId, type Command } from '@causeway/protocol';
import type { Replica } from '@causeway/replica';
import { randomBytes } from 'node:crypto';
import { chatText } from './chat-text.ts';

export const WORKSPACE = 'demo';
const MEMBERS = 500;
const EMOJI = ['+1', 'heart', 'eyes', 'tada', 'joy', 'pray', 'rocket', 'thinking'] as const;
/** Messages that later commands are about; the oldest are forgotten. */
const RECENT = 1_000;
/** Commands under way at a time. */
const AT_ONCE = 1_000;
/** Of all messages: replies, those of them that are shown in the channel too, and such as name a member. */
const REPLIES = 0.25;
const ALSO = 0.05;
const MENTIONS = 0.03;
/** For each message: edits, reactions and deletes that follow. The mixture is that of evidence for the layout of segments. */
const EDITS = 0.1;
const REACTIONS = 0.3;
const DELETES = 0.03;
const AFTER_POST = EDITS + REACTIONS + DELETES;

type Recent = { id: string; member: string; thread: string | undefined };

/** One channel and what people do in it, by commands through the write path of a replica. */
export class ChannelHistory {
  readonly channel: string;
  readonly #replica: Replica;
  readonly #recent: Recent[] = [];
  #messages = 0;
  #commands = 0;

  constructor(replica: Replica, channel: string) {
    this.#replica = replica;
    this.channel = channel;
  }

  /** Messages that are there, deleted ones not counted. */
  get messages(): number {
    return this.#messages;
  }

  /** Commands carried out so far. */
  get commands(): number {
    return this.#commands;
  }

  /** Goes on until the channel has so many messages, or the signal fires. */
  async until(messages: number, signal: AbortSignal): Promise<void> {
    const one = async (): Promise<void> => {
      while (this.#messages < messages && !signal.aborted) await this.#next();
    };
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, messages - this.#messages) }, one));
  }

  /** Every one of the newest messages gets so many reactions, each by another member. */
  async react(newest: number, times: number): Promise<void> {
    for (const about of this.#recent.slice(-newest))
      await Promise.all(
        Array.from({ length: times }, (_, at) => this.#execute(this.#reaction(about, `fan${at}`))),
      );
  }

  async #next(): Promise<void> {
    await this.#post();
    if (Math.random() >= AFTER_POST) return;
    const about = this.#recent[Math.floor(Math.random() * this.#recent.length)];
    if (about === undefined) return;
    const roll = Math.random() * AFTER_POST;
    if (roll < DELETES) {
      this.#recent.splice(this.#recent.indexOf(about), 1);
      this.#messages--;
      await this.#execute({ kind: 'delete', ...this.#by(about.member), message: about.id });
    } else if (roll < DELETES + EDITS) {
      const v = this.#replica.clock.tick();
      await this.#execute({
        kind: 'edit',
        ...this.#by(about.member),
        message: about.id,
        body: chatText(),
        v,
      });
    } else await this.#execute(this.#reaction(about, memberAt(Math.random())));
  }

  async #post(): Promise<void> {
    const root = Math.random() < REPLIES ? this.#root() : undefined;
    const member = memberAt(Math.random());
    const named = Math.random() < MENTIONS ? `<@${memberAt(Math.random())}> ` : '';
    const command: Command = {
      kind: 'post',
      ...this.#by(member),
      body: `${named}${chatText()}`,
      ...(root === undefined ? {} : { thread: root }),
      ...(root !== undefined && Math.random() < ALSO ? { also: true as const } : {}),
    };
    this.#messages++;
    await this.#execute(command);
    this.#recent.push({ id: commandId(command), member, thread: root });
    if (this.#recent.length > RECENT) this.#recent.shift();
  }

  /** Threads are about what was said lately, and few get most of the replies. */
  #root(): string | undefined {
    const { length } = this.#recent;
    const about = this.#recent[length - Math.ceil(length ** Math.random())];
    return about?.thread ?? about?.id;
  }

  #reaction({ id }: Recent, member: string): Command {
    const emoji = EMOJI[Math.floor(Math.random() ** 2 * EMOJI.length)]!;
    const v = this.#replica.clock.tick();
    return { kind: 'react', ...this.#by(member), message: id, emoji, on: true, v };
  }

  #by(member: string): { workspace: string; channel: string; member: string; nonce: string } {
    return {
      workspace: WORKSPACE,
      channel: this.channel,
      member,
      nonce: randomBytes(16).toString('base64url'),
    };
  }

  async #execute(command: Command): Promise<void> {
    await this.#replica.execute(command);
    this.#commands++;
  }
}

/** A few members say most of it. */
const memberAt = (share: number): string => `member${Math.floor(MEMBERS ** share)}`;
