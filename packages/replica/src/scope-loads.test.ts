import type { Cell } from '@causeway/protocol';
import { expect, test } from 'vitest';
import { ScopeLoads } from './scope-loads.ts';

const cellOf = (scope: string): Cell => ({ scope, key: 'k', v: '1', value: scope });

test('R10 scopes that are asked for while a query is under way go together into the next', async () => {
  const queries: string[][] = [];
  const loads = new ScopeLoads({
    loadCells: async (scopes) => {
      queries.push([...scopes]);
      return scopes.filter((scope) => scope !== 'empty').map(cellOf);
    },
  });
  const first = loads.load('first');
  await Promise.resolve();
  const scopes = ['empty', ...Array.from({ length: 1_200 }, (_, at) => `scope ${at % 1_100}`)];
  const found = await Promise.all(scopes.map((scope) => loads.load(scope)));
  expect(await first).toEqual([cellOf('first')]);
  expect(found).toEqual(scopes.map((scope) => (scope === 'empty' ? [] : [cellOf(scope)])));
  expect(queries.map(({ length }) => length)).toEqual([1, 500, 500, 201]);
});

test('a query that fails fails those who are in it, and the next one goes on', async () => {
  let isBroken = true;
  const loads = new ScopeLoads({
    loadCells: async (scopes) => {
      if (isBroken) throw new Error('no database');
      return scopes.map(cellOf);
    },
  });
  const failed = await Promise.allSettled([loads.load('a'), loads.load('b')]);
  expect(failed.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  isBroken = false;
  expect(await loads.load('a')).toEqual([cellOf('a')]);
});
