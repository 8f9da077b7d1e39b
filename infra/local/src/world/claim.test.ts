import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { WorldError } from '../error.ts';
import { claimHome, natsCacheFolder, runningWorld } from './claim.ts';

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

/** Why `path` cannot be a home, as the person is told. */
function refusal(path: string): string {
  try {
    claimHome(path, URL);
  } catch (error) {
    if (error instanceof WorldError) return error.message;
    throw error;
  }
  throw new Error(`${path} was claimed`);
}

test('a home that cannot be is refused with what to do', () => {
  const file = join(home, 'file');
  writeFileSync(file, '');
  const advice = 'Set CAUSEWAY_HOME to a folder that you can write.';
  expect(refusal(file)).toBe(`A world cannot be kept in ${file}: it is not a folder. ${advice}`);
  expect(refusal(join(file, 'deep'))).toContain('it is not below a folder');
});

// Nobody can write there, not even root, for whom modes of folders mean nothing.
test.runIf(process.platform === 'linux')('a home that cannot be written is refused with what to do', () => {
  expect(refusal('/proc/self')).toContain('Set CAUSEWAY_HOME to a folder that you can write.');
});

test('a fetched nats-server is kept beside the checkout, wherever the world is', () => {
  vi.stubEnv('CAUSEWAY_HOME', home);
  expect(natsCacheFolder()).toMatch(/\.causeway\/cache$/);
  vi.unstubAllEnvs();
});
