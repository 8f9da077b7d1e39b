import type { Client } from '@causeway/client';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { setTimeout as pause } from 'node:timers/promises';
import { memberOf, readAnswers, readLog, type Said } from '../chat-log.ts';
import { say, type Context } from '../context.ts';
import { count } from '../counts.ts';
import { Failure } from '../failure.ts';
import { regionUrls, signIn } from '../place.ts';
import { onSignals } from '../signals.ts';

type Options = { speed: number; channel: string; workspace: string; lines: number };

/** Messages that may wait for their acknowledgement at once. */
const AT_ONCE = 64;

export function addReplay(program: Command, context: Context): void {
  program
    .command('replay')
    .description('feed a chat log to the world: speakers spread over its regions, answers as threads')
    .argument('<file>', 'an IRC log with lines like: [12:18] <nick> text')
    .option(
      '-s, --speed <factor>',
      'how much faster than it was said; "max" does not wait at all',
      speed,
      600,
    )
    .option('-w, --workspace <id>', 'into which workspace', 'demo')
    .option('-c, --channel <channel>', 'into which channel', 'general')
    .addOption(
      new Option('-n, --lines <count>', 'only so many of its lines')
        .argParser(count)
        .default(Number.POSITIVE_INFINITY, 'all'),
    )
    .addHelpText('after', '\nExample:\n  npx causeway replay chat.raw.txt --speed max --channel random')
    .action(async (file: string, options: Options) => {
      const said = readLog(file).slice(0, options.lines);
      const replay = new Replay(context, options, [...(await regionUrls(context)).keys()], readAnswers(file));
      const stopListening = onSignals(
        () => replay.stop(),
        () => replay.stop(),
      );
      try {
        await replay.run(said);
      } finally {
        stopListening();
        replay.close();
      }
    });
}

/** One run through a log. */
class Replay {
  readonly #context: Context;
  readonly #options: Options;
  readonly #regions: readonly string[];
  readonly #answers: ReadonlyMap<number, number>;
  readonly #speakers = new Map<string, Promise<Client>>();
  /** By line: the id of the message, or of the thread that it belongs to. */
  readonly #threads = new Map<number, Promise<string>>();
  readonly #stopped = new AbortController();
  #done = 0;
  #failed = 0;

  constructor(
    context: Context,
    options: Options,
    regions: readonly string[],
    answers: ReadonlyMap<number, number>,
  ) {
    this.#context = context;
    this.#options = options;
    this.#regions = regions;
    this.#answers = answers;
  }

  stop(): void {
    this.#stopped.abort();
  }

  async run(said: readonly Said[]): Promise<void> {
    const startedAt = performance.now();
    const underWay = new Set<Promise<void>>();
    const ticker = setInterval(() => this.#progress(said.length), 1_000);
    try {
      for (const line of said) {
        await this.#until(startedAt + line.atMs / this.#options.speed);
        if (this.#stopped.signal.aborted) break;
        while (underWay.size >= AT_ONCE) await Promise.race(underWay);
        const posting: Promise<void> = this.#post(line).finally(() => underWay.delete(posting));
        underWay.add(posting);
      }
      await Promise.all(underWay);
    } finally {
      clearInterval(ticker);
    }
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
    say(
      this.#context,
      `${this.#done} messages by ${this.#speakers.size} members in ${this.#regions.length} regions, ` +
        `${this.#answers.size > 0 ? 'answers as threads, ' : ''}in ${seconds} s`,
    );
    if (this.#failed > 0) throw new Failure(`${this.#failed} messages were not taken`);
  }

  close(): void {
    for (const speaker of this.#speakers.values())
      void speaker.then(
        (client) => client.close(),
        () => undefined,
      );
  }

  async #post(line: Said): Promise<void> {
    const posting = this.#send(line);
    const thread = posting.then(({ thread, id }) => thread ?? id);
    thread.catch(() => undefined); // Who answers this line finds out; if nobody does, nobody needs to.
    this.#threads.set(line.line, thread);
    try {
      await posting;
      this.#done++;
    } catch (error) {
      this.#failed++;
      this.#context.err.write(`line ${line.line}: ${(error as Error).message}\n`);
    }
  }

  async #send({ line, nick, text }: Said): Promise<{ id: string; thread: string | undefined }> {
    const answered = this.#answers.get(line);
    const thread =
      answered === undefined ? undefined : await this.#threads.get(answered)?.catch(() => undefined);
    const client = await this.#speaker(memberOf(nick));
    const { id } = await client.post(this.#options.channel, text, thread === undefined ? {} : { thread });
    return { id, thread };
  }

  /** Each member stays in one region; the next new one goes to the next region. */
  #speaker(member: string): Promise<Client> {
    let client = this.#speakers.get(member);
    if (client === undefined) {
      const region = this.#regions[this.#speakers.size % this.#regions.length]!;
      client = signIn(this.#context, { ...this.#options, region, member });
      this.#speakers.set(member, client);
    }
    return client;
  }

  async #until(at: number): Promise<void> {
    const ms = at - performance.now();
    if (ms > 1) await pause(ms, undefined, { signal: this.#stopped.signal }).catch(() => undefined);
  }

  #progress(all: number): void {
    this.#context.err.write(`${this.#done} of ${all} messages\n`);
  }
}

function speed(text: string): number {
  if (text === 'max') return Number.POSITIVE_INFINITY;
  const factor = Number(text.replace(/x$/, ''));
  if (Number.isFinite(factor) && factor > 0) return factor;
  throw new InvalidArgumentError('Write a factor like 60 or 60x, or max.');
}
