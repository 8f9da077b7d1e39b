import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { claimHome, runningWorld } from './claim.ts';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'causeway-claim-'));
});
afterEach(() => rmSync(home, { recursive: true }));

const URL = 'http://127.0.0.1:4100';

test('one world at a time has a home', () => {
  expect(runningWorld(home)).toBeUndefined();
  const claim = claimHome(home, URL);
  expect(runningWorld(home)).toMatchObject({ pid: process.pid, url: URL });
  expect(() => claimHome(home, URL)).toThrow(`${URL} (pid ${process.pid})`);
  claim.release();
  expect(runningWorld(home)).toBeUndefined();
  expect(claimHome(home, URL).wasKilled).toBe(false);
});

test.each([
  ['of a process that is gone', { pid: 2 ** 22 + 1, born: '1' }],
  ['of an earlier process of the same number', { pid: process.pid, born: '1' }],
])('a claim %s counts for nothing', (_, stale) => {
  writeFileSync(join(home, 'world.json'), JSON.stringify({ ...stale, url: URL }));
  expect(runningWorld(home)).toBeUndefined();
  expect(claimHome(home, URL).wasKilled).toBe(true);
  expect(runningWorld(home)?.pid).toBe(process.pid);
});

test('a broken claim counts for nothing', () => {
  writeFileSync(join(home, 'world.json'), '{"pid":');
  claimHome(home, URL);
  expect(runningWorld(home)?.pid).toBe(process.pid);
});
