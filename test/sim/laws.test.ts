/* The merge laws as properties over random stories; long because they share one way of telling a story and of checking its end. */
import { isDeepStrictEqual } from 'node:util';
import {
  commandId,
  messageScope,
  type Ack,
  type Command,
  type CommandOf,
  type Message,
} from '@causeway/protocol';
import { Doubtful, SEGMENT, Segment } from '@causeway/replica';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { durable, reencoded, type Durable } from './replay.ts';
import { CHANNEL, WORKSPACE, World, idOf, outcomeOf, type Process } from './world.ts';

/**
 * The laws by which copies merge, over generated stories: who sends which command where and when,
 * how often, and what happens to the links in between. Whatever the story, all regions end in one
 * state, and the law says which. A failing run prints the shortest story
 * that breaks it, with its seed and path.
 */
const REGIONS = ['us', 'eu', 'ap'];
const PROCESSES = 2;
const stories = (numRuns: number) => ({ seed: 2, numRuns });

type Place = { region: number; process: number };
type Act =
  | { act: 'send'; command: number; at: Place }
  | { act: 'cut'; one: number; other: number }
  | { act: 'heal' }
  | { act: 'wait'; ms: number }
  /** Its share of the newest segment is used up: later posts of this region go above it. */
  | { act: 'fill'; at: Place }
  /** The next commit of this region lands, and nobody is told. */
  | { act: 'doubt'; at: Place };

const place: fc.Arbitrary<Place> = fc.record({
  region: fc.nat(REGIONS.length - 1),
  process: fc.nat(PROCESSES - 1),
});
const at = fc.nat(REGIONS.length - 1);
const send = fc.record({ act: fc.constant('send' as const), command: fc.nat(99), at: place });
const link = fc.oneof(
  fc.record({ act: fc.constant('cut' as const), one: at, other: at }),
  fc.record({ act: fc.constant('heal' as const) }),
);
const wait = fc.record({ act: fc.constant('wait' as const), ms: fc.nat(3_000) });
const fill = fc.record({ act: fc.constant('fill' as const), at: place });
const doubt = fc.record({ act: fc.constant('doubt' as const), at: place });
const acts: fc.Arbitrary<Act[]> = fc.array(
  fc.oneof(
    { arbitrary: send, weight: 8 },
    { arbitrary: link, weight: 3 },
    { arbitrary: wait, weight: 3 },
    { arbitrary: fill, weight: 1 },
    { arbitrary: doubt, weight: 1 },
  ),
  { minLength: 3, maxLength: 16 },
);

/** Text as people and programs write it; what is refused (NUL, half a pair) has tests of its own. */
const body = fc
  .oneof(
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 12 }),
    fc.constantFrom('Grüße 👋', 'e\u0301', '\u00e9', '👩‍👩‍👧', ' ', '"\\|', '\u202eevil', '__proto__'),
  )
  .filter((text) => text.isWellFormed() && !text.includes('\0'));
const nonce = fc
  .uint8Array({ minLength: 16, maxLength: 16 })
  .map((bytes) => Buffer.from(bytes).toString('base64url'));

/** By then each process has read the tail of what the others committed. */
const TAILED_MS = 5_000;
const FILLER = '漢'.repeat(Math.ceil(SEGMENT.bytes / REGIONS.length / 3));
/** Answers after which a client need not ask again. */
const FINAL = ['gone', 'forbidden'];
const RETRIED = ['not-here-yet', 'not-committed'];

/** One world, what was sent in it, and what became of that. */
class Story {
  readonly world: World;
  readonly answers = new Map<string, Ack | string>();
  readonly #sent = new Map<string, Command>();
  #fillers = 0;

  constructor() {
    this.world = new World({ regions: REGIONS, processes: PROCESSES });
  }

  /** Sends once; resolves with the answer. */
  async send(command: Command, at: Place): Promise<Ack | string> {
    const id = idOf(command);
    this.#sent.set(id, command);
    const answer = await outcomeOf(this.#process(at).replica.execute(command));
    if (typeof answer !== 'string' || FINAL.includes(answer)) this.answers.set(id, answer);
    else expect(RETRIED).toContain(answer);
    return answer;
  }

  /** Plays the acts; commands are under way together unless the acts wait. */
  async play(acts: readonly Act[], commands: readonly Command[]): Promise<void> {
    const under: Promise<unknown>[] = [];
    for (const act of acts) under.push(...(await this.#begin(act, commands)));
    await Promise.all(under);
  }

  /** Everything is repaired and answered: the one state of all regions, and what all processes show. */
  async end(commands: readonly Command[]): Promise<{ state: Durable; shown: Message[] }> {
    this.world.heal();
    for (const { faults } of this.world.regions) faults.clear();
    const all = [...new Set([...commands, ...this.#sent.values()])];
    for (const [n, command] of all.entries())
      await this.world.until(async () => this.#isAnswered(command, n), `an answer to ${command.kind}`);
    return this.#rest(commands);
  }

  async fill(at: Place): Promise<void> {
    const filler = this.world.post(FILLER, { member: 'filler', nonce: nonceOf(this.#fillers++) });
    await this.send(filler, at);
  }

  close(): void {
    this.world.close();
  }

  async #isAnswered(command: Command, n: number): Promise<boolean> {
    if (!this.answers.has(idOf(command)))
      await this.send(command, { region: n % REGIONS.length, process: 0 });
    return this.answers.has(idOf(command));
  }

  /** Starts an act and resolves with its end inside, so that it can go on beside later ones. */
  async #begin(act: Act, commands: readonly Command[]): Promise<Promise<unknown>[]> {
    switch (act.act) {
      case 'send':
        return [this.send(commands[act.command % commands.length]!, act.at)];
      case 'fill':
        return [this.fill(act.at)];
      case 'wait':
        await this.world.time.sleep(act.ms);
        return [];
      case 'heal':
        this.world.heal();
        return [];
      case 'cut':
        if (act.one !== act.other) this.world.cut(REGIONS[act.one]!, REGIONS[act.other]!);
        return [];
      case 'doubt':
        this.#process(act.at).region.faults.failNext('append', 'after', new Doubtful('simulated'));
        return [];
    }
  }

  #process({ region, process }: Place): Process {
    return this.world.regions[region]!.processes[process]!;
  }

  async #rest(commands: readonly Command[]): Promise<{ state: Durable; shown: Message[] }> {
    const scopes = commands.map((command) => messageScope(WORKSPACE, CHANNEL, idOf(command)));
    let states: Durable[] = [];
    let views: Message[][] = [];
    const resting = async (): Promise<boolean> => {
      await this.world.time.sleep(500);
      for (const { store } of this.world.regions) {
        if ((await store.unpublished({ olderThanMs: 0, limit: 1 })).length > 0) return false;
        if ((await store.untidy(1)).length > 0) return false;
      }
      states = await Promise.all(this.world.regions.map((region) => durable(region, scopes)));
      views = await Promise.all(
        this.world.regions.flatMap(({ name, processes }) =>
          processes.map(({ replica }) => this.world.messages(name, replica)),
        ),
      );
      return isOne(states) && isOne(views);
    };
    // When they do not come to rest, the difference says more than the time that has passed.
    const failure: unknown = await this.world
      .until(resting, 'at rest', 60_000)
      .catch((error: unknown) => error);
    for (const state of states) expect(state).toEqual(states[0]);
    for (const view of views) expect(view).toEqual(views[0]);
    if (failure !== undefined) throw failure;
    expect(states[0]!.contradictions).toEqual([]);
    return { state: states[0]!, shown: views[0]!.filter(({ author }) => author !== 'filler') };
  }
}

/** A story that is told and ended; `check` then says the law. */
async function told(check: (story: Story) => Promise<void>): Promise<void> {
  const story = new Story();
  try {
    await check(story);
  } finally {
    story.close();
  }
}

const nonceOf = (n: number): string => String(n).padStart(22, '0');
const onMessage = (post: Command, nonce: string, member = 'ada') => ({
  workspace: WORKSPACE,
  channel: CHANNEL,
  member,
  nonce,
  message: idOf(post),
});
const postOf = (body: string, nonce: string): CommandOf<'post'> => ({
  kind: 'post',
  workspace: WORKSPACE,
  channel: CHANNEL,
  member: 'ada',
  nonce,
  body,
});
const removal = (post: Command, nonce: string): Command => ({ kind: 'delete', ...onMessage(post, nonce) });

const post = fc.tuple(body, nonce).map(([body, nonce]) => postOf(body, nonce));
/** Few different times, so that ties are common. */
const laterMs = fc.nat(3);
const edits = fc.uniqueArray(fc.tuple(body, laterMs, nonce), {
  minLength: 1,
  maxLength: 4,
  selector: ([, , nonce]) => nonce,
});
const editsOf = (story: Story, of: Command, list: readonly [string, number, string][]) =>
  list.map(([body, ms, nonce]): CommandOf<'edit'> => ({
    kind: 'edit',
    ...onMessage(of, nonce),
    body,
    v: story.world.v(ms),
  }));

/** Later `v` last; ties by command id. */
const byV = (a: Command & { v: number }, b: Command & { v: number }): number =>
  a.v - b.v || (commandId(a) < commandId(b) ? -1 : 1);

type End = Awaited<ReturnType<Story['end']>>;

/** Every command once more, in every region and process: the ends before and after. */
async function repeated(story: Story, commands: readonly Command[]): Promise<{ before: End; after: End }> {
  const before = await story.end(commands);
  // Until then a process may not know what another one of its region wrote, and writes it again.
  await story.world.time.sleep(TAILED_MS);
  for (const command of commands)
    for (const region of REGIONS.keys())
      for (let process = 0; process < PROCESSES; process++) await story.send(command, { region, process });
  return { before, after: await story.end(commands) };
}

/** A repeat of a losing edit may put it beside the winning one in a copy that lacked it. */
const withoutDocuments = ({ state, shown }: End) => ({ ...state, documents: undefined, shown });

/** Segments of the channel whose documents hold a post, a deletion or an edit of the message. */
async function segmentsOf(story: Story, id: string): Promise<number> {
  const channel = `${WORKSPACE}/channel/${CHANNEL}`;
  return (await story.world.regions[0]!.store.copies([{ channel, id }])).length;
}

const segmentsIn = ({ documents }: Durable): Segment[] =>
  Object.values(documents).map((bytes) => new Segment(reencoded([Buffer.from(bytes, 'base64')]).doc));

/** One message with copies in two segments: posted at one side of a cut, where the other side is ahead. */
async function twoCopies(story: Story, post: Command, here: Place, there: Place): Promise<void> {
  await story.send(post, here);
  await story.fill(there);
  await story.send(post, there);
}

const apart = fc.tuple(place, place).filter(([here, there]) => here.region !== there.region);

describe('one command', () => {
  it('R4 authored by any processes and regions, however often, is one message with its own words', () =>
    fc.assert(
      fc.asyncProperty(fc.array(post, { minLength: 1, maxLength: 3 }), acts, (posts, acts) =>
        told(async (story) => {
          // The first thing that happens: two processes and two regions have it at once.
          const everybody = REGIONS.keys().flatMap((region) =>
            [0, 1].map((process) => ({ act: 'send' as const, command: 0, at: { region, process } })),
          );
          await story.play([...everybody, ...acts], posts);
          const { before, after } = await repeated(story, posts);
          expect(after).toEqual(before);
          const { shown } = after;
          const words = new Map(posts.map((post) => [idOf(post), post.body]));
          expect(shown).toHaveLength(words.size);
          for (const { id, body } of shown) expect(body).toBe(words.get(id));
        }),
      ),
      stories(25),
    ));

  it('R4 R13 retried into another segment, before or after its deletion, stays deleted everywhere', async () => {
    let elsewhere = 0;
    await fc.assert(
      fc.asyncProperty(post, nonce, apart, acts, (post, nonce, [here, there], acts) =>
        told(async (story) => {
          const commands = [post, removal(post, nonce)];
          story.world.cut(REGIONS[there.region]!);
          await twoCopies(story, post, here, there);
          await story.play(acts, commands);
          const { state, shown } = await story.end(commands);
          expect(shown).toEqual([]);
          expect([...state.deleted]).toEqual([idOf(post)]);
          const copies = await segmentsOf(story, idOf(post));
          if (copies > 1) elsewhere++;
          const held = segmentsIn(state);
          expect(held.filter((segment) => segment.isDeleted(idOf(post)))).toHaveLength(copies);
          expect(held.filter((segment) => segment.knows(idOf(post)))).toEqual([]);
          const { before, after } = await repeated(story, [post]);
          expect(after).toEqual(before);
          expect(await segmentsOf(story, idOf(post))).toBe(copies);
        }),
      ),
      stories(20),
    );
    // Otherwise these stories say nothing about other segments.
    expect(elsewhere).toBeGreaterThan(0);
  });
});

describe('an id', () => {
  const member = fc.constantFrom('ada', 'bob', 'Ada', 'ada_', '__proto__');
  const v = fc.nat(Number.MAX_SAFE_INTEGER);
  const frame = { workspace: member, channel: member, member, nonce };
  const command: fc.Arbitrary<Command> = fc.oneof(
    fc.record({ kind: fc.constant('post' as const), ...frame, body }),
    fc.record({ kind: fc.constant('post' as const), ...frame, body, thread: nonce }),
    fc.record({ kind: fc.constant('edit' as const), ...frame, message: nonce, body, v }),
    fc.record({ kind: fc.constant('delete' as const), ...frame, message: nonce }),
    fc.record({
      kind: fc.constant('react' as const),
      ...frame,
      message: nonce,
      emoji: body,
      on: fc.boolean(),
      v,
    }),
    fc.record({ kind: fc.constant('topic' as const), ...frame, topic: body, v }),
  );

  it('R12 is that of its content only: another one for every change of any field', () => {
    fc.assert(
      fc.property(command, command, (one, other) => {
        const id = commandId(one);
        expect(commandId(structuredClone(one))).toBe(id);
        for (const [field, value] of Object.entries(other)) {
          const changed = { ...one, [field]: value } as Command;
          expect(commandId(changed) === id, field).toBe(isDeepStrictEqual(changed, { ...one }));
        }
        for (const field of Object.keys(one)) {
          const { [field]: _, ...rest } = one as Record<string, unknown>;
          expect(commandId(rest as Command), field).not.toBe(id);
        }
      }),
      { seed: 2, numRuns: 500 },
    );
  });

  it('R12 of one message never shows the words, author or thread of a command that differs', () =>
    fc.assert(
      fc.asyncProperty(post, body, nonce, acts, (post, otherBody, otherNonce, acts) =>
        told(async (story) => {
          const forged = [
            { ...post, body: otherBody },
            { ...post, member: 'eve' },
            { ...post, nonce: otherNonce },
            { ...post, thread: idOf(post) },
          ];
          const commands = [post, ...forged];
          await story.play(acts, commands);
          const { shown } = await story.end(commands);
          const sent = new Map(commands.map((command) => [idOf(command), command]));
          expect(new Set(shown.map(({ id }) => id))).toEqual(new Set(sent.keys()));
          for (const { id, author, body, thread } of shown)
            expect({ author, body, thread }).toEqual({
              author: sent.get(id)!.member,
              body: sent.get(id)!.body,
              thread: sent.get(id)!.thread,
            });
        }),
      ),
      stories(20),
    ));
});

describe('an edit', () => {
  it('R4 the larger v wins in every region and copy, and every other text is in the history', () =>
    fc.assert(
      fc.asyncProperty(post, edits, apart, acts, (post, list, [here, there], acts) =>
        told(async (story) => {
          const edits = editsOf(story, post, list);
          const commands: Command[] = [post, ...edits];
          story.world.cut(REGIONS[there.region]!);
          await twoCopies(story, post, here, there);
          await story.play(acts, commands);
          const { before, after } = await repeated(story, commands);
          expect(withoutDocuments(after)).toEqual(withoutDocuments(before));
          const [message, ...others] = after.shown;
          const sorted = edits.toSorted(byV);
          expect(others).toEqual([]);
          expect([message!.body, message!.editedAt]).toEqual([sorted.at(-1)!.body, sorted.at(-1)!.v]);
          expect(message!.history!.map(({ body }) => body)).toEqual([
            post.body,
            ...sorted.slice(0, -1).map(({ body }) => body),
          ]);
        }),
      ),
      stories(25),
    ));

  it('R4 R13 against a delete loses, in whatever order they come, and leaves no text behind', () =>
    fc.assert(
      fc.asyncProperty(edits, nonce, place, acts, (list, nonce, at, acts) =>
        told(async (story) => {
          const post = postOf('secret post', nonce);
          const edits = editsOf(story, post, list).map((edit) => ({ ...edit, body: `secret ${edit.body}` }));
          const commands: Command[] = [post, ...edits, removal(post, nonceOf(0)), removal(post, nonceOf(1))];
          await story.send(post, at);
          await story.play(acts, commands);
          const { state, shown } = await story.end(commands);
          expect(shown).toEqual([]);
          expect([...state.deleted]).toEqual([idOf(post)]);
          for (const bytes of Object.values(state.documents))
            expect(Buffer.from(bytes, 'base64').includes('secret')).toBe(false);
          for (const region of REGIONS.keys())
            for (const edit of edits) expect(await story.send(edit, { region, process: 1 })).toBe('gone');
        }),
      ),
      stories(25),
    ));
});

describe('a reaction', () => {
  const toggle = fc.record({
    member: fc.constantFrom('bob', 'eve'),
    emoji: fc.constantFrom('👍', 'a|b'),
    on: fc.boolean(),
    ms: laterMs,
    nonce,
  });

  it('R4 the larger v decides: a delayed copy after the removal stays removed, in every region', () =>
    fc.assert(
      fc.asyncProperty(
        post,
        fc.array(toggle, { minLength: 1, maxLength: 4 }),
        place,
        acts,
        (post, toggles, at, acts) =>
          told(async (story) => {
            await story.send(post, at);
            const reactions = toggles.map(({ member, emoji, on, ms, nonce }): CommandOf<'react'> => ({
              kind: 'react',
              ...onMessage(post, nonce, member),
              emoji,
              on,
              v: story.world.v(ms),
            }));
            // A reaction and its removal, which everybody has before delayed copies come.
            const on = {
              kind: 'react',
              ...onMessage(post, nonceOf(1), 'dan'),
              emoji: '🎉',
              on: true,
            } as const;
            const [set, unset] = [
              { ...on, v: story.world.v() },
              { ...on, on: false, v: story.world.v() + 1 },
            ];
            const commands: Command[] = [...reactions, set, unset];
            await story.play(acts, commands);
            const { shown } = await story.end(commands);
            expect(shown[0]!.reactions ?? {}).toEqual(membersByEmoji([...reactions, set, unset]));
            const { before, after } = await repeated(story, commands);
            expect(after).toEqual(before);
          }),
      ),
      stories(25),
    ));
});

/** What the law of cells leaves of these reactions, computed from the commands alone. */
function membersByEmoji(reactions: readonly CommandOf<'react'>[]): Record<string, string[]> {
  const last = new Map(
    reactions.toSorted(byV).map((reaction) => [`${reaction.emoji}|${reaction.member}`, reaction]),
  );
  const on = [...last.values()].filter((reaction) => reaction.on);
  const members = Map.groupBy(on, ({ emoji }) => emoji);
  return Object.fromEntries(
    [...members].map(([emoji, list]) => [emoji, list.map(({ member }) => member).sort()]),
  );
}

/** All of them are the same value. */
const isOne = (values: readonly unknown[]): boolean =>
  values.every((value) => isDeepStrictEqual(value, values[0]));
