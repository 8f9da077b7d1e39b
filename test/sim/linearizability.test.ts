import { firstHead, type Version } from '@causeway/protocol';
import { expect, test } from 'vitest';
import { unexplained, type Answered } from './linearizability.ts';

const change = (id: string): Version['changes'][number] => ({
  id,
  by: 'ada',
  at: 0,
  deed: { kind: 'create-channel', slug: id, private: false, members: [] },
});
const log = ['a', 'b'].map((id, at): Version => ({
  workspace: 'acme',
  version: at + 1,
  before: firstHead('acme').digest,
  salt: 'salt',
  changes: [change(id)],
}));
const digestAt = (version: number): string => `d${version}`;
const changed = (id: string, version: number, askedAt: number, answeredAt: number): Answered => ({
  kind: 'change',
  where: 'us',
  id,
  version,
  askedAt,
  answeredAt,
});
const read = (
  kind: 'confirmed' | 'local',
  version: number,
  askedAt: number,
  answeredAt = askedAt + 1,
): Answered => ({
  kind,
  where: 'eu',
  version,
  digest: digestAt(version),
  askedAt,
  answeredAt,
});

test.each<[string, Answered[], string | undefined]>([
  [
    'changes in their order',
    [changed('a', 1, 0, 5), changed('b', 2, 6, 9), read('confirmed', 2, 10)],
    undefined,
  ],
  ['those at once in any order', [changed('b', 2, 0, 5), changed('a', 1, 1, 6)], undefined],
  ['a local read that is late', [changed('b', 2, 0, 5), read('local', 0, 6), read('local', 2, 8)], undefined],
  ['a confirmed read that is late', [changed('b', 2, 0, 5), read('confirmed', 1, 6)], 'is of version 1'],
  [
    'a change before one that was answered',
    [changed('b', 2, 0, 5), changed('a', 1, 6, 9)],
    'is of version 1',
  ],
  [
    'a local read that goes back',
    [read('local', 2, 0), read('local', 1, 5)],
    'went back from version 2 to 1',
  ],
  ['a change that is in no version', [changed('c', 2, 0, 5)], 'stands in undefined'],
  [
    'a state that was never in force',
    [{ ...read('local', 1, 0), digest: 'x' } as Answered],
    'showed another version 1',
  ],
])('%s', (_, answered, says) => {
  const found = unexplained(log, answered, digestAt);
  if (says === undefined) expect(found).toBeUndefined();
  else expect(found).toContain(says);
});
