import { expect, test } from 'vitest';
import { Cache } from './cache.ts';
import { MemoryStorage } from './memory-storage.ts';

const DAY_MS = 86_400_000;
let now = 100 * DAY_MS;
const open = (storage: MemoryStorage, account = 'acme|ada'): Cache => new Cache(storage, account, () => now);

test('what was put is there for the next one, bytes too, and for nobody else', async () => {
  const storage = new MemoryStorage();
  const value = { cells: [{ key: 'topic', value: null }], segments: [[3, new Uint8Array([1, 2])]] };
  await open(storage).put('channel|general', value);
  expect(await open(storage).get('channel|general')).toEqual(value);
  expect(await open(storage).get('channel|gen')).toBeUndefined();
  expect(await open(storage, 'acme|ben').get('channel|general')).toBeUndefined();
});

test('R10 it holds no more than its bytes: what was written longest ago leaves', async () => {
  const storage = new MemoryStorage();
  const cache = open(storage);
  for (let each = 0; each < 40; each++) {
    now++;
    await cache.put(`channel|${each}`, new Uint8Array(1024 * 1024));
  }
  const keys = await storage.keys('cache', '');
  expect(keys.length).toBeLessThanOrEqual(32);
  expect(await cache.get('channel|0')).toBeUndefined();
  expect(await cache.get('channel|39')).toBeDefined();
  await cache.put('channel|39', new Uint8Array(3 * 1024 * 1024));
  expect(await cache.get('channel|39')).toHaveLength(1024 * 1024);
});

test('R10 what is older than 30 days, or unknown to the index, is taken away', async () => {
  const storage = new MemoryStorage();
  await open(storage).put('old', 1);
  now += 31 * DAY_MS;
  await open(storage).put('new', 1);
  await storage.write('cache', { put: [['acme|ada|stray', new Uint8Array([1])]] });
  const cache = open(storage);
  expect(await cache.get('old')).toBeUndefined();
  expect(await storage.keys('cache', '')).toEqual(['acme|ada|index', 'acme|ada|new']);
});

test('what is broken is nothing, and does not break what comes after it', async () => {
  const storage = new MemoryStorage();
  await open(storage).put('channel|general', 1);
  await storage.write('cache', { put: [['acme|ada|channel|general', new Uint8Array([117, 255])]] });
  expect(await open(storage).get('channel|general')).toBeUndefined();
  await storage.write('cache', { put: [['acme|ada|index', new Uint8Array([9])]] });
  const cache = open(storage);
  expect(await cache.get('channel|general')).toBeUndefined();
  await cache.put('channel|general', 2);
  expect(await cache.get('channel|general')).toBe(2);
});

test('cleared, nothing of the account is left', async () => {
  const storage = new MemoryStorage();
  const cache = open(storage);
  await cache.put('workspace', { name: 'Acme' });
  await cache.clear();
  expect(await storage.keys('cache', '')).toEqual([]);
  expect(await cache.get('workspace')).toBeUndefined();
});
