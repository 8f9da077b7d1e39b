import { expect, test } from 'vitest';
import type { Storage } from './storage.ts';

const bytes = (...values: number[]): Uint8Array => new Uint8Array(values);
const never = new AbortController().signal;

/** What every storage does. `open` opens the same one again: as another tab, or after a restart. */
export function storageContract(open: () => Promise<Storage>): void {
  test('what is put can be read, in the order of its keys, by whoever opens it later', async () => {
    const one = await open();
    await one.write('outbox', {
      put: [
        ['b|2', bytes(2)],
        ['b|10', bytes(10)],
        ['c', bytes(3)],
      ],
    });
    await one.write('cache', { put: [['b|1', bytes(9)]] });
    await one.close();
    const other = await open();
    expect(await other.read('outbox', 'b|')).toEqual([
      ['b|10', bytes(10)],
      ['b|2', bytes(2)],
    ]);
    expect(await other.keys('outbox', '')).toEqual(['b|10', 'b|2', 'c']);
    await other.close();
  });

  test('a put value is replaced, a removed one is gone, and both may be in one change', async () => {
    const storage = await open();
    await storage.write('outbox', {
      put: [
        ['x', bytes(1)],
        ['y', bytes(2)],
      ],
    });
    await storage.write('outbox', { put: [['x', bytes(3)]], remove: ['y', 'nothing'] });
    expect(await storage.read('outbox', '')).toEqual([['x', bytes(3)]]);
    await storage.close();
  });

  test('a name is held by one at a time, and goes to the next who waits', async () => {
    const [one, other] = [await open(), await open()];
    const release = await one.hold('lane', { wait: true, signal: never });
    expect(await other.hold('lane', { wait: false, signal: never })).toBeUndefined();
    expect(await other.hold('another', { wait: false, signal: never })).toBeDefined();
    const waiting = other.hold('lane', { wait: true, signal: never });
    release!();
    release!();
    const next = await waiting;
    expect(next).toBeDefined();
    expect(await one.hold('lane', { wait: false, signal: never })).toBeUndefined();
    next!();
    await Promise.all([one.close(), other.close()]);
  });

  test('who does not want to wait any longer gets nothing, and the name goes past them', async () => {
    const [one, other] = [await open(), await open()];
    const release = await one.hold('lane', { wait: true, signal: never });
    const patience = new AbortController();
    const waiting = other.hold('lane', { wait: true, signal: patience.signal });
    patience.abort();
    expect(await waiting).toBeUndefined();
    release!();
    await expect
      .poll(() => other.hold('lane', { wait: false, signal: never }).then((held) => held !== undefined))
      .toBe(true);
    await Promise.all([one.close(), other.close()]);
  });
}
