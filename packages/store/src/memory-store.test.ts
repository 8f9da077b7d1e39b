import { Doubtful, Unavailable } from '@causeway/replica';
import { describe, expect, it } from 'vitest';
import { storeContract } from './contract.ts';
import { MemoryStore } from './memory-store.ts';

storeContract('memory', async () => {
  const zones = new Map<string, MemoryStore>();
  let time = 0;
  return {
    zone: (zone) => {
      const store = zones.get(zone) ?? new MemoryStore({ region: 'us-east', now: () => ++time });
      zones.set(zone, store);
      return store;
    },
    close: async () => {
      for (const store of zones.values()) await store.close();
    },
  };
});

const row = {
  entry: { kind: 'update', name: 'acme/canvas/a', bytes: Uint8Array.of(1) },
} as const;

describe('faults of the memory store', () => {
  it('R3 a fault before the commit leaves nothing', async () => {
    const store = new MemoryStore({
      region: 'us-east',
      fail: async (operation, when) => {
        if (operation === 'append' && when === 'before') throw new Unavailable('shutting down');
      },
    });
    await expect(store.append([row])).rejects.toBeInstanceOf(Unavailable);
    expect(await store.loadDocument('acme/canvas/a')).toEqual([]);
  });

  it('R3 a fault after the commit loses the answer only', async () => {
    const store = new MemoryStore({
      region: 'us-east',
      fail: async (operation, when) => {
        if (operation === 'append' && when === 'after') throw new Doubtful('the answer was lost');
      },
    });
    await expect(store.append([row])).rejects.toBeInstanceOf(Doubtful);
    expect(await store.loadDocument('acme/canvas/a')).toEqual([Uint8Array.of(1)]);
  });

  it('is safe from later changes of what it was given and of what it gave', async () => {
    const store = new MemoryStore({ region: 'us-east' });
    const bytes = Uint8Array.of(1);
    await store.append([{ entry: { kind: 'update', name: 'acme/canvas/a', bytes } }]);
    bytes[0] = 2;
    const [loaded] = await store.loadDocument('acme/canvas/a');
    loaded![0] = 3;
    expect(await store.loadDocument('acme/canvas/a')).toEqual([Uint8Array.of(1)]);
  });

  it('ages its outbox by the clock that it was given', async () => {
    let now = 1_000;
    const store = new MemoryStore({ region: 'us-east', now: () => now });
    await store.append([row]);
    const question = { olderThanMs: 500, limit: 10 };
    expect(await store.unpublished(question)).toEqual([]);
    now += 500;
    expect(await store.unpublished(question)).toHaveLength(1);
  });

  it('a wiped disk holds nothing, is another database and leads nobody', async () => {
    const store = new MemoryStore({ region: 'us-east', identity: 'one' });
    const { commit } = await store.append([row]);
    const before = await store.adoptIncarnation({ stream: 's', lastSequence: 1, given: 1_000 });
    await store.lead(
      'receiver',
      async (signal) => {
        store.wipe();
        expect(signal.aborted).toBe(true);
      },
      new AbortController().signal,
    );
    expect(await store.loadDocument('acme/canvas/a')).toEqual([]);
    expect(await store.tail(0, 10)).toEqual({ rows: [], cells: [], to: commit });
    expect(await store.identity()).not.toBe('one');
    const after = await store.adoptIncarnation({ stream: 's', lastSequence: 1, given: 1_000 });
    expect(after.incarnation).not.toBe(before.incarnation);
  });

  it('fires the signal of a holder whose role is lost', async () => {
    const store = new MemoryStore({ region: 'us-east' });
    await store.lead(
      'receiver',
      async (signal) => {
        store.loseLeads();
        expect(signal.aborted).toBe(true);
      },
      new AbortController().signal,
    );
  });
});
