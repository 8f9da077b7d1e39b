import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Before, Countable } from './ports.ts';
import { Tally, type UnreadReader } from './unread.ts';

const NOBODY = { members: [], channel: false, here: false };
const message = (id: string, t: string, more: Partial<Countable> = {}): Countable => ({
  id,
  t,
  author: 'ada',
  mentions: NOBODY,
  copies: [{ segment: 2, client: 7, clock: Number(t) }],
  ...more,
});
const reader = (more: Partial<UnreadReader> = {}, marks: Record<string, number> = {}): UnreadReader => ({
  member: 'ben',
  marker: (segment, client) => marks[`${segment}|${client}`] ?? 0,
  isMuted: false,
  isDirect: false,
  ...more,
});

describe('what is unread in a channel', () => {
  const tally = new Tally(
    [
      message('c', '3', { mentions: { ...NOBODY, members: ['ben'] } }),
      message('a', '1'),
      message('b', '2', { author: 'ben' }),
      message('d', '4', { mentions: { ...NOBODY, here: true } }),
      message('low', '0', { copies: [{ segment: 1, client: 7, clock: 9 }] }),
      message('two', '5', {
        copies: [
          { segment: 2, client: 8, clock: 1 },
          { segment: 3, client: 9, clock: 1 },
        ],
      }),
    ],
    2,
  );

  it.each<[string, UnreadReader, object]>([
    ['nothing was on screen', reader(), { unread: 4, mentions: 2, first: { t: '1', id: 'a' } }],
    ['some was', reader({}, { '2|7': 3 }), { unread: 2, mentions: 1, first: { t: '4', id: 'd' } }],
    ['of the same author in another segment', reader({}, { '3|7': 9 }), { unread: 4, mentions: 2 }],
    ['one of two copies was', reader({}, { '3|9': 1 }), { unread: 3, mentions: 2 }],
    ['all was', reader({}, { '2|7': 4, '2|8': 1 }), { unread: 0, mentions: 0 }],
    ['another one asks', reader({ member: 'ada' }), { unread: 1, mentions: 0, first: { t: '2', id: 'b' } }],
    ['muted', reader({ isMuted: true }), { unread: 2, mentions: 2 }],
    ['direct', reader({ isDirect: true }), { unread: 4, mentions: 4 }],
    ['direct and muted', reader({ isDirect: true, isMuted: true }), { unread: 2, mentions: 2 }],
    [
      'marked unread from one on',
      reader({ from: { t: '3', id: 'c' } }, { '2|7': 4, '2|8': 1 }),
      { unread: 3, mentions: 2, first: { t: '3', id: 'c' } },
    ],
    [
      'marked unread below what is open',
      reader({ from: { t: '0', id: 'low' } }, { '2|7': 4 }),
      { unread: 5 },
    ],
  ])('%s', (_, who, expected) => expect(tally.count(who)).toMatchObject(expected));

  it('is none in an empty channel', () => {
    expect(new Tally([], 1).count(reader())).toEqual({ unread: 0, mentions: 0 });
    expect(new Tally([], 1).latest).toBeUndefined();
    expect(tally.latest).toBe('5');
  });

  it('R9 is what the rule says, message by message', () => {
    const copy = fc.record({
      segment: fc.integer({ min: 1, max: 3 }),
      client: fc.integer({ min: 1, max: 2 }),
      clock: fc.integer({ min: 1, max: 5 }),
    });
    const someone = fc.constantFrom('ada', 'ben', 'cleo');
    const any = fc.record({
      id: fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 3 }),
      t: fc.constantFrom('1', '2', '3'),
      author: someone,
      mentions: fc.record({ members: fc.uniqueArray(someone), channel: fc.boolean(), here: fc.boolean() }),
      copies: fc.array(copy, { minLength: 1, maxLength: 3 }),
    });
    fc.assert(
      fc.property(
        fc.uniqueArray(any, { selector: ({ id }) => id, maxLength: 12 }),
        fc.dictionary(fc.constantFrom('1|1', '2|1', '2|2', '3|1', '3|2'), fc.nat({ max: 5 })),
        fc.integer({ min: 0, max: 4 }),
        fc.record({ member: someone, isMuted: fc.boolean(), isDirect: fc.boolean() }),
        fc.option(fc.record({ t: fc.constantFrom('1', '2', '3'), id: fc.constantFrom('a', 'b', 'cc') }), {
          nil: undefined,
        }),
        (messages, marks, closed, who, from) => {
          const asked = reader({ ...who, ...(from === undefined ? {} : { from }) }, marks);
          expect(new Tally(messages, closed).count(asked)).toEqual(byTheRule(messages, marks, closed, asked));
        },
      ),
    );
  });
});

const place = ({ t, id }: Before): string => `${t} ${id}`;

/** The rule, read aloud. */
function byTheRule(
  messages: readonly Countable[],
  marks: Record<string, number>,
  closed: number,
  { member, isMuted, isDirect, from }: UnreadReader,
) {
  const unread = messages.filter((message) => {
    if (message.author === member) return false;
    if (from !== undefined && place(message) >= place(from)) return true;
    return !message.copies.some(
      ({ segment, client, clock }) => segment < closed || (marks[`${segment}|${client}`] ?? 0) >= clock,
    );
  });
  const named = unread.filter(
    ({ mentions: { members, channel, here } }) => members.includes(member) || channel || here,
  );
  const first = unread.toSorted((a, b) => (place(a) < place(b) ? -1 : 1))[0];
  return {
    unread: (isMuted ? named : unread).length,
    mentions: (isDirect && !isMuted ? unread : named).length,
    ...(first === undefined ? {} : { first: { t: first.t, id: first.id } }),
  };
}
