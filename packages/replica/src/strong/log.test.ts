import { expect, test } from 'vitest';
import { digestOf, firstHead, type Version } from '@causeway/protocol';
import { StrongLog } from './log.ts';
import type { StrongStore } from './ports.ts';

const WORKSPACE = 'acme';

test('R2: who asks what is in force learns all that was applied before he asked, also while another reading ends', async () => {
  for (let ticks = 0; ticks < 20; ticks++) {
    const applied: Version[] = [];
    const store = {
      strongVersions: (_workspace: string, after: number) =>
        Promise.resolve(applied.filter(({ version }) => version > after)),
    } as unknown as StrongStore;
    const founding = { id: WORKSPACE, admins: [], channels: [], home: 'r1' };
    const log = new StrongLog(store, [founding], () => undefined);
    const first = log.read(WORKSPACE);
    for (let tick = 0; tick < ticks; tick++) await Promise.resolve();
    const before = firstHead(WORKSPACE).digest;
    const version: Version = { workspace: WORKSPACE, version: 1, before, salt: 'salt', changes: [] };
    applied.push(version);
    const state = await log.read(WORKSPACE);
    expect({ ticks, head: state.head }).toEqual({ ticks, head: { version: 1, digest: digestOf(version) } });
    await first;
  }
});
