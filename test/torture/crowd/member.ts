import { ClientClock } from '@causeway/client';
import {
  CausewayError,
  ERRORS,
  base64url,
  commandId,
  parseName,
  type Ack,
  type Command,
  type Token,
} from '@causeway/protocol';
import { setTimeout as pause } from 'node:timers/promises';
import type { SeededRandom } from '../../sim/seeded-random.ts';
import type { Operation } from '../journal.ts';
import { Doors, type Address, type AddressBook } from './address-book.ts';

/** An acknowledged post, for those who edit, react, mark as read or delete. */
export type Posted = { id: string; channel: string; author: string; token: Token };

/** What the members of a crowd know in common. */
export type Shared = {
  workspace: string;
  channels: readonly string[];
  book: AddressBook;
  random: SeededRandom;
  /** The newest acknowledged posts. */
  posted: Posted[];
  told(operation: Operation): void;
  failed(code: string): void;
};

/** What a member does, with how often in comparison. */
const HABITS: readonly [weight: number, kind: Kind][] = [
  [44, 'post'],
  [15, 'edit'],
  [16, 'react'],
  [6, 'unreact'],
  [5, 'delete'],
  [9, 'read'],
  [3, 'topic'],
];
type Kind = 'post' | 'edit' | 'react' | 'unreact' | 'delete' | 'read' | 'topic';

/** Then another process is asked; a server under test answers within milliseconds. */
const ANSWER_MS = 4_000;
/** After that a command is given up. */
const GIVE_UP_MS = 25_000;
const EMOJIS = ['+1', 'heart', 'eyes', '🎉'];
const ZONE_PERCENT = 12;

/** A member who keeps sending the very same command, everywhere, until somebody answers. */
export class Member {
  readonly name: string;
  readonly region: string;
  readonly #shared: Shared;
  readonly #clock = new ClientClock(Date.now);
  readonly #doors: Doors;
  #spoken = 0;

  constructor({ member, token, region }: { member: string; token: string; region: string }, shared: Shared) {
    this.name = member;
    this.region = region;
    this.#shared = shared;
    this.#doors = new Doors(token, this.#clock);
  }

  /** Does one thing that members do. */
  async act(): Promise<Operation> {
    const { random, book } = this.#shared;
    const level = random.chance(ZONE_PERCENT) ? 'zone' : 'region';
    return this.send(this.#command(), level, book.in(this.region));
  }

  post(channel: string): Command {
    const body = `${this.name} says ${++this.#spoken}: ${'something of the usual length '.repeat(1 + this.#shared.random.below(4))}`;
    return { kind: 'post', ...this.#frame(channel), body };
  }

  /** Sends a command, first to `first` and then to whoever answers. */
  async send(command: Command, level: Ack['level'], first: Address, repeat = false): Promise<Operation> {
    const startedAt = Date.now();
    const { book, random, told, failed } = this.#shared;
    const operation = { id: commandId(command), command, level, home: this.region, startedAt, repeat };
    const end = (attempts: number, outcome: Operation['outcome']): Operation => {
      const ended = { ...operation, endedAt: Date.now(), attempts, outcome };
      told(ended);
      this.#learn(ended);
      return ended;
    };
    for (let attempts = 1, address = first; ; attempts++, address = book.any()) {
      try {
        const api = this.#doors.at(address.url, level);
        const { level: reached, token } = await api.execute(command, AbortSignal.timeout(ANSWER_MS));
        return end(attempts, { acknowledged: true, region: address.region, level: reached, token });
      } catch (error) {
        const { code } = error as CausewayError;
        failed(code);
        const { next } = ERRORS[code];
        if ((next !== 'retry' && next !== 'elsewhere') || Date.now() - startedAt > GIVE_UP_MS) {
          if (code === 'clock-ahead') await this.#askTheTime();
          return end(attempts, { acknowledged: false, code });
        }
        await pause(Math.min(800, 40 * 2 ** attempts) * (0.5 + random.below(100) / 100));
      }
    }
  }

  /** A process with a fast clock told us a time that the others do not believe. */
  async #askTheTime(): Promise<void> {
    const { book, workspace } = this.#shared;
    await this.#doors
      .at(book.any().url, 'region')
      .workspace(workspace, AbortSignal.timeout(ANSWER_MS))
      .then(
        ({ clock }) => this.#clock.adopt(clock),
        () => undefined,
      );
  }

  #learn({ command, id, outcome }: Operation): void {
    const { posted } = this.#shared;
    if (!outcome.acknowledged) return;
    if (command.kind === 'post' && !posted.some((known) => known.id === id)) {
      posted.push({ id, channel: command.channel, author: command.member, token: outcome.token });
      if (posted.length > 300) posted.shift();
    }
  }

  #command(): Command {
    const { random, posted, channels } = this.#shared;
    const kind = this.#habit();
    const channel = random.pick(channels);
    const own = posted.filter(({ author }) => author === this.name);
    const mine = own.length === 0 ? undefined : random.pick(own);
    const any = posted.length === 0 ? undefined : random.pick(posted.slice(-60));
    const v = this.#clock.mint();
    if (kind === 'topic')
      return { kind, ...this.#frame(channel), topic: `${this.name} ${++this.#spoken}`, v };
    if (kind === 'edit' && mine !== undefined) {
      const body = `${this.name} edits ${++this.#spoken}`;
      return { kind, ...this.#frame(mine.channel), message: mine.id, body, v };
    }
    if (kind === 'delete' && mine !== undefined) {
      posted.splice(posted.indexOf(mine), 1);
      return { kind, ...this.#frame(mine.channel), message: mine.id };
    }
    if ((kind === 'react' || kind === 'unreact') && any !== undefined) {
      const emoji = random.pick(EMOJIS);
      const frame = this.#frame(any.channel);
      return { kind: 'react', ...frame, message: any.id, emoji, on: kind === 'react', v };
    }
    const markers = any?.token.flatMap((entry) => markerOf(entry)) ?? [];
    if (kind === 'read' && any !== undefined && markers.length > 0)
      return { kind, ...this.#frame(any.channel), markers };
    return this.post(channel);
  }

  #habit(): Kind {
    let roll = this.#shared.random.below(HABITS.reduce((sum, [weight]) => sum + weight, 0));
    return HABITS.find(([weight]) => (roll -= weight) < 0)![1];
  }

  #frame(channel: string): { workspace: string; member: string; nonce: string; channel: string } {
    const nonce = base64url(crypto.getRandomValues(new Uint8Array(16)));
    return { workspace: this.#shared.workspace, member: this.name, nonce, channel };
  }
}

function markerOf(entry: Token[number]): { segment: number; client: number; clock: number }[] {
  if (!('document' in entry)) return [];
  const name = parseName(entry.document);
  if (name?.kind !== 'segment') return [];
  return [{ segment: name.segment, client: entry.client, clock: entry.clock }];
}
