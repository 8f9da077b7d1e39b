import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hybridOf, hybridText } from './hybrid-time.ts';
import type { Copy } from './segment.ts';
import { newestFirst, unionOf } from './union.ts';

const options = { seed: 1, numRuns: 1_000 };
const NOW = 1_700_000_000_000;
const COMMANDS = ['c1', 'c2', 'c3'];
// The content of a command is fixed by its id, and `t` tells copies apart.
const edit = fc.constantFrom(...COMMANDS).map((command) => ({
  command,
  value: { b: `edited by ${command}`, v: command === 'c1' ? 5 : 7 },
}));
const post = fc.nat(4).map((n) => ({
  t: `${hybridText(hybridOf(NOW) + n)}.${n}`,
  value: { a: 'ada', b: 'text', o: n % 2 === 0 ? 'us' : 'eu' },
}));
const copy = (deleted: fc.Arbitrary<boolean>): fc.Arbitrary<Copy> =>
  fc.record({
    id: fc.constant('m1'),
    posts: fc.array(post, { maxLength: 2 }),
    edits: fc.array(edit, { maxLength: 3 }),
    deleted,
  });
const copies = fc.array(copy(fc.nat(9).map((n) => n === 0)), { minLength: 1, maxLength: 4 });

describe('the union of copies', () => {
  it('R1 does not depend on their order, nor on repeats', () => {
    fc.assert(
      fc.property(copies, (copies) => {
        const union = unionOf(copies, NOW);
        expect(unionOf(copies.toReversed(), NOW)).toEqual(union);
        expect(unionOf([...copies, ...copies], NOW)).toEqual(union);
      }),
      options,
    );
  });

  it('R4 the smallest t is the message, the largest v its text, and every other text is in the history', () => {
    fc.assert(
      fc.property(fc.array(copy(fc.constant(false)), { minLength: 1, maxLength: 4 }), (copies) => {
        const union = unionOf(copies, NOW);
        const times = copies.flatMap(({ posts }) => posts.map(({ t }) => t)).sort();
        expect(union?.t).toBe(times[0]);
        if (union === undefined) return;
        const commands = [
          ...new Set(copies.flatMap(({ edits }) => edits.map(({ command }) => command))),
        ].sort();
        const winner = commands.findLast((command) => command !== 'c1') ?? commands[0];
        expect(union.body).toBe(winner === undefined ? 'text' : `edited by ${winner}`);
        const bodies = [...(union.history ?? []).map(({ body }) => body), union.body];
        expect(bodies.sort()).toEqual(['text', ...commands.map((command) => `edited by ${command}`)].sort());
      }),
      options,
    );
  });

  it('R13 one deletion anywhere is the end', () => {
    fc.assert(
      fc.property(copies, (copies) => {
        const gone: Copy = { id: 'm1', posts: [], edits: [], deleted: true };
        expect(unionOf([...copies, gone], NOW)).toBeUndefined();
      }),
      options,
    );
  });

  it('R14 a time from the future is shown as now, and one that is none as the beginning', () => {
    const at = (t: string): number | undefined =>
      unionOf(
        [{ id: 'm1', posts: [{ t, value: { a: 'a', b: 'b', o: 'o' } }], edits: [], deleted: false }],
        NOW,
      )?.at;
    expect(at(hybridText(hybridOf(NOW + 86_400_000)))).toBe(NOW);
    expect(at(hybridText(hybridOf(NOW - 5)))).toBe(NOW - 5);
    expect(at('nonsense')).toBe(0);
  });

  it('the order on screen is total: t, then id', () => {
    const place = fc.record({ t: fc.constantFrom('a', 'b'), id: fc.constantFrom('x', 'y', 'z') });
    fc.assert(
      fc.property(place, place, (a, b) => {
        if (a.t === b.t && a.id === b.id) return;
        expect(Math.sign(newestFirst(a, b))).toBe(-Math.sign(newestFirst(b, a)));
      }),
      options,
    );
  });
});
