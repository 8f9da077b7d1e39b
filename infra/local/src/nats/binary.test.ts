import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findNatsServer, type FindNatsOptions, type NatsSource } from './binary.ts';
import { WorldError } from '../error.ts';
import { isRecent } from './version.ts';

let folder: string;
let said: string[];
beforeEach(() => {
  folder = mkdtempSync(`${tmpdir()}/causeway-nats-`);
  said = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

/**
 * A program that claims to be nats-server of some version. Written in one go: a file that is open
 * for writing while another test forks cannot be run (ETXTBSY).
 */
function fake(path: string, version: string): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `#!/bin/sh\necho nats-server: v${version}\n`, { mode: 0o755 });
  return path;
}
const source = (version: string): NatsSource => ({
  name: `a source of ${version}`,
  fetch: (into) => Promise.resolve(fake(`${into}/deep/nats-server`, version)),
});
const nowhere: NatsSource = {
  name: 'nowhere',
  fetch: () => Promise.reject(new Error('the road is closed')),
};
const find = (options: Partial<FindNatsOptions> = {}) =>
  findNatsServer({
    cache: `${folder}/cache`,
    onProgress: (text) => said.push(text),
    env: {},
    onPath: () => undefined,
    sources: [nowhere],
    ...options,
  });

test('a server that NATS_SERVER names is used, and no other', async () => {
  const path = fake(`${folder}/mine`, '2.16.0');
  expect(await find({ env: { NATS_SERVER: path } })).toEqual({ path, version: '2.16.0' });
  expect(said).toEqual([`nats-server 2.16.0 at ${path}`]);
});

test('an old server that NATS_SERVER names is refused, with what to do', async () => {
  const path = fake(`${folder}/mine`, '2.9.10');
  await expect(find({ env: { NATS_SERVER: path }, sources: [source('2.15.1')] })).rejects.toThrow(
    `NATS_SERVER is ${path}, which is nats-server 2.9.10, older than 2.15.1. Install nats-server 2.15.1 or newer`,
  );
  await expect(find({ env: { NATS_SERVER: `${folder}/nothing` } })).rejects.toThrow(
    'no nats-server that runs',
  );
});

test('what the person can put right is a WorldError', async () => {
  const path = fake(`${folder}/mine`, '2.9.10');
  await expect(find({ env: { NATS_SERVER: path } })).rejects.toBeInstanceOf(WorldError);
  await expect(find()).rejects.toBeInstanceOf(WorldError);
  const cache = `${path}/cache`;
  await expect(find({ cache })).rejects.toThrow(`nats-server cannot be kept in ${cache}`);
  await expect(find({ cache })).rejects.toBeInstanceOf(WorldError);
});

test('an old server on PATH is passed over, aloud', async () => {
  const old = fake(`${folder}/old`, '2.10.1');
  const found = await find({ onPath: () => old, sources: [source('2.15.2')] });
  expect(found).toEqual({ path: `${folder}/cache/nats-server`, version: '2.15.2' });
  expect(said[0]).toBe(`${old} is nats-server 2.10.1, older than 2.15.1: looking elsewhere`);
});

test('a recent server on PATH is used', async () => {
  const path = fake(`${folder}/bin/nats-server`, '2.15.1');
  expect(await find({ onPath: () => path })).toEqual({ path, version: '2.15.1' });
});

test('what was fetched once is in the cache, and nothing else is', async () => {
  await find({ sources: [nowhere, source('2.15.1')] });
  expect(said).toContain('not from there (nowhere): the road is closed');
  expect(readdirSync(`${folder}/cache`)).toEqual(['nats-server']);
  expect(await find()).toEqual({ path: `${folder}/cache/nats-server`, version: '2.15.1' });
});

test('several may fetch at once', async () => {
  const found = await Promise.all(Array.from({ length: 8 }, () => find({ sources: [source('2.15.1')] })));
  expect(new Set(found.map(({ path }) => path))).toEqual(new Set([`${folder}/cache/nats-server`]));
  expect(readdirSync(`${folder}/cache`)).toEqual(['nats-server']);
});

test('when nobody has it, the error says who was asked and what to do', async () => {
  await expect(find({ sources: [nowhere, source('2.14.5')] })).rejects.toThrow(
    'No nats-server could be had. nowhere: the road is closed. a source of 2.14.5: it is nats-server 2.14.5, older than 2.15.1. Install',
  );
});

test.each([
  ['2.15.1', true],
  ['2.15.1-RC.1', false],
  ['2.15.0', false],
  ['2.9.10', false],
  ['2.16.0-beta.1', true],
  ['3.0.0', true],
])('version %s is recent enough: %s', (version, recent) => {
  expect(isRecent(version)).toBe(recent);
});
