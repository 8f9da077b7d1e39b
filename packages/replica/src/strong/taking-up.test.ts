import { encodeTalk, firstHead, type DirectoryRecord } from '@causeway/protocol';
import { expect, it } from 'vitest';
import { BusDown, type Bus } from '../ports.ts';
import type { Directory, StrongStore } from './ports.ts';
import { TakingUp } from './taking-up.ts';

const REGIONS = ['eu', 'us'];
const founding = (id: string) => ({ id, home: 'eu', admins: [], channels: [] });

it('R5 a workspace that cannot be taken up yet, since a region is away, hides no other one', async () => {
  const known = new Map<string, DirectoryRecord>([['old', { ...firstHead('old'), epoch: 1, home: 'us' }]]);
  const directory: Directory = {
    read: (workspaces) => Promise.resolve(new Map([...known].filter(([id]) => workspaces.includes(id)))),
    compareAndSet: (workspace, expected, next) => {
      if (expected !== undefined || known.has(workspace)) return Promise.resolve(false);
      known.set(workspace, next);
      return Promise.resolve(true);
    },
  };
  const asked: ((error?: Error) => void)[] = [];
  const bus = {
    ask: () => {
      const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
      asked.push((error) => (error === undefined ? resolve(encodeTalk([])) : reject(error)));
      return promise;
    },
  } as unknown as Bus;
  const store = { strongHeads: () => Promise.resolve([]) } as unknown as StrongStore;
  const taking = new TakingUp(directory, {
    region: 'eu',
    regions: REGIONS,
    bus,
    store,
    foundings: ['old', 'new'].map(founding),
  });

  // Without waiting for the region that does not answer.
  for (let look = 0; look < 3; look++)
    expect([...(await taking.read(['old', 'new'])).keys()]).toEqual(['old']);
  expect(asked).toHaveLength(1);
  const alone = taking.read(['new']);
  asked[0]!(new BusDown('us is away'));
  await expect(alone).rejects.toThrow('us is away');
  expect([...(await taking.read(['old', 'new'])).keys()]).toEqual(['old']);
  asked[1]!();
  await expect.poll(async () => [...(await taking.read(['old', 'new'])).keys()]).toEqual(['old', 'new']);
  expect(known.get('new')).toEqual({ ...firstHead('new'), epoch: 1, home: 'eu' });
});
