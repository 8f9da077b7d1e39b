import type { Cell } from '@causeway/protocol';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Cells, cellsEntry, mergeCell, wins } from './cells.ts';
import type { Store } from './ports.ts';

type Held = Omit<Cell, 'scope'>;
const options = { seed: 1, numRuns: 2_000 };
const value = fc.oneof(fc.boolean(), fc.integer({ max: 3, min: 0 }), fc.constantFrom('～', '😀', 'a', 'ab'));
const cell: fc.Arbitrary<Held> = fc.record({
  key: fc.constantFrom('a', 'b'),
  v: fc.constantFrom('1', '2'),
  value,
});

function merged(...groups: readonly Held[][]): unknown {
  const map = new Map<string, Held>();
  for (const one of groups.flat()) mergeCell(map, one);
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1));
}

describe('the law of cells', () => {
  it('R1 any order, any grouping and any repetition give the same', () => {
    const cells = fc.array(cell, { maxLength: 12 });
    fc.assert(
      fc.property(cells, cells, cells, (a, b, c) => {
        const once = merged(a, b, c);
        expect(merged(c, b, a)).toEqual(once);
        expect(merged(b, a, b, c, a)).toEqual(once);
        expect(merged([...a, ...b, ...c].toReversed())).toEqual(once);
      }),
      options,
    );
  });

  it('R4 exactly one of two different cells wins', () => {
    fc.assert(
      fc.property(cell, cell, (a, b) => {
        const same = a.v === b.v && a.value === b.value;
        expect(wins(a, b) !== wins(b, a)).toBe(!same);
      }),
      options,
    );
  });

  it('R1 equal `v` go by the bytes of the value, as in the databases, not by UTF-16 units', () => {
    expect(wins({ v: '1', value: '😀' }, { v: '1', value: '～' })).toBe(true);
    expect(wins({ v: '1', value: '～' }, { v: '1', value: '😀' })).toBe(false);
    expect(wins({ v: '1', value: '～' }, { v: '2', value: 'a' })).toBe(false);
  });
});

const SCOPE = 'acme/channel/general';
const stored = (load: () => Promise<Cell[]>): Pick<Store, 'loadCells'> => ({ loadCells: load });
const on = (v: string): Held => ({ key: 'k', v, value: v });

describe('cells in memory', () => {
  it('R1 a change that comes while the scope is loading is not missed', async () => {
    const { promise, resolve } = Promise.withResolvers<Cell[]>();
    const cells = new Cells(stored(() => promise));
    const opening = cells.open(SCOPE);
    cells.committed(cellsEntry(SCOPE, on('2')));
    resolve([{ scope: SCOPE, ...on('1') }]);
    expect((await opening).get('k')).toEqual(on('2'));
  });

  it('R10 a scope that could not be loaded leaves nothing, and the next one to ask loads', async () => {
    let fails = true;
    const cells = new Cells(stored(() => (fails ? Promise.reject(new Error('no')) : Promise.resolve([]))));
    for (let n = 0; n < 10_000; n++) await cells.open(`acme/member/m${n}`).catch(() => undefined);
    expect(cells.scopes()).toEqual([]);
    fails = false;
    expect(await cells.open(SCOPE)).toEqual(new Map());
  });

  it('R10 holds 4,096 scopes, those used last', async () => {
    const cells = new Cells(stored(() => Promise.resolve([])));
    for (let n = 0; n < 5_000; n++) await cells.open(`acme/member/m${n}`);
    expect(cells.scopes()).toHaveLength(4_096);
    expect(cells.scopes().at(-1)).toBe('acme/member/m4999');
  });

  it('R10 holds 20,000 messages beside them, which push out no other scope', async () => {
    const cells = new Cells(stored(() => Promise.resolve([])));
    await cells.open(SCOPE);
    const messages = Array.from({ length: 25_000 }, (_, n) => `acme/message/general/${n}`);
    for (let at = 0; at < messages.length; at += 500) await cells.openAll(messages.slice(at, at + 500));
    expect(cells.scopes()).toHaveLength(20_001);
    expect(cells.scopes()).toContain(SCOPE);
    cells.committed(cellsEntry(messages.at(-1)!, on('2')));
    expect((await cells.open(messages.at(-1)!)).get('k')).toEqual(on('2'));
  });

  it('R15 the tail tells what nobody told of, and nothing twice', async () => {
    const cells = new Cells(stored(() => Promise.resolve([{ scope: SCOPE, ...on('1') }])));
    const heard: string[] = [];
    cells.subscribe(SCOPE, (_, changed) => void heard.push(...changed.map(({ v }) => v)));
    const held = await cells.open(SCOPE);
    cells.committed(cellsEntry(SCOPE, on('2')));
    cells.listed([{ scope: SCOPE, ...on('2') }]);
    cells.listed([{ scope: SCOPE, ...on('3') }]);
    expect([heard, held.get('k')]).toEqual([['2', '3'], on('3')]);
  });

  it('R15 what a scope had when it was loaded is told too, if nobody told of it', async () => {
    const cells = new Cells(stored(() => Promise.resolve([{ scope: SCOPE, ...on('1') }])));
    const heard: string[] = [];
    cells.subscribe(SCOPE, (_, changed) => void heard.push(...changed.map(({ v }) => v)));
    await cells.open(SCOPE);
    cells.listed([{ scope: SCOPE, ...on('1') }]);
    expect(heard).toEqual(['1']);
  });

  it('R15 of two changes told, the tail may list the later one only, or first the earlier one', () => {
    const cells = new Cells(stored(() => Promise.resolve([])));
    const heard: string[] = [];
    cells.subscribe(SCOPE, (_, changed) => void heard.push(...changed.map(({ v }) => v)));
    for (const v of ['1', '2']) cells.committed(cellsEntry(SCOPE, on(v)));
    for (const v of ['1', '2']) cells.listed([{ scope: SCOPE, ...on(v) }]);
    expect(heard).toEqual(['1', '2']);
  });

  it('a channel is watched with its messages, and leaving twice harms nobody', async () => {
    const cells = new Cells(stored(() => Promise.resolve([])));
    const heard: string[] = [];
    const leave = cells.subscribe(SCOPE, () => undefined);
    leave();
    cells.subscribe(SCOPE, (scope) => void heard.push(scope));
    leave();
    cells.committed(cellsEntry(SCOPE, on('1')));
    cells.committed(cellsEntry('acme/message/general/m1', on('1')));
    cells.committed(cellsEntry('acme/message/other/m1', on('1')));
    expect(heard).toEqual([SCOPE, 'acme/message/general/m1']);
  });
});
