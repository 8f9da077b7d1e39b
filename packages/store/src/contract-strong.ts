import { digestOf, firstHead, type DirectoryRecord, type Version } from '@causeway/protocol';
import type { Store } from '@causeway/replica';
import { describe, expect, it } from 'vitest';

let drawn = 0;
/** 128 bits that nobody drew before. */
const fresh22 = (): string => String(++drawn).padStart(22, 'A');

const after = (before: Version | string, more: Partial<Version> = {}): Version => ({
  workspace: typeof before === 'string' ? before : before.workspace,
  version: typeof before === 'string' ? 1 : before.version + 1,
  before: typeof before === 'string' ? firstHead(before).digest : digestOf(before),
  salt: fresh22(),
  changes: [
    { id: fresh22(), by: 'ada', at: 1_700_000_000_000, deed: { kind: 'remove-member', member: 'ben' } },
    {
      id: fresh22(),
      by: 'ada',
      at: 0,
      deed: { kind: 'create-channel', slug: 'plans', private: true, members: ['eve'] },
    },
  ],
  ...more,
});

const head = (version: Version) => ({
  workspace: version.workspace,
  version: version.version,
  digest: digestOf(version),
});

async function chainOf(store: Store, workspace: string, length: number): Promise<Version[]> {
  const chain: Version[] = [];
  while (chain.length < length) {
    chain.push(after(chain.at(-1) ?? workspace));
    expect(await store.applyVersion(chain.at(-1)!)).toBe(true);
  }
  return chain;
}

const record = (version: number, more: Partial<DirectoryRecord> = {}): DirectoryRecord => ({
  version,
  digest: String(version).padStart(43, 'd'),
  epoch: 1,
  home: 'us',
  ...more,
});

/** The strong log, what is prepared for it, and the records of a directory. */
export function strongContract(fresh: () => Store): void {
  describe('strong logs', () => {
    it('R7 versions are applied in order of their chain, each once, and read back as they were', async () => {
      const store = fresh();
      expect(await store.strongHeads()).toEqual([]);
      const chain = await chainOf(store, 'b', 5);
      const [other] = await chainOf(store, 'a', 1);
      expect(await store.strongVersions('b', 0, 100)).toEqual(chain);
      expect(await store.strongVersions('b', 1, 2)).toEqual(chain.slice(1, 3));
      expect(await store.strongVersions('b', 5, 2)).toEqual([]);
      expect(await store.strongVersions('none', 0, 2)).toEqual([]);
      expect(await store.strongHeads()).toEqual([head(other!), head(chain[4]!)]);
      for (const wrong of [
        chain[4]!,
        after(chain[3]!),
        after(chain[4]!, { version: 7 }),
        after(chain[4]!, { before: digestOf(chain[3]!) }),
        after('c', { version: 2 }),
      ])
        expect(await store.applyVersion(wrong)).toBe(false);
      expect(await store.strongVersions('b', 0, 100)).toEqual(chain);
      expect(await fresh().strongHeads()).toEqual([]);
    });

    it('R7 of versions of one number at once one is applied', async () => {
      const store = fresh();
      const rivals = Array.from({ length: 8 }, () => after('a'));
      const taken = await Promise.all(rivals.map((version) => store.applyVersion(version)));
      expect(taken.filter(Boolean)).toHaveLength(1);
      expect(await store.strongVersions('a', 0, 10)).toEqual([rivals[taken.indexOf(true)]]);
    });

    it('R4 tells which version holds a command, in that workspace', async () => {
      const store = fresh();
      const chain = await chainOf(store, 'a', 3);
      for (const { version, changes } of chain)
        for (const { id } of changes) expect(await store.versionOf('a', id)).toBe(version);
      expect(await store.versionOf('b', chain[0]!.changes[0]!.id)).toBeUndefined();
      expect(await store.versionOf('a', fresh22())).toBeUndefined();
    });

    it('R7 prepared versions of a number are kept side by side until it is applied', async () => {
      const store = fresh();
      const [first] = await chainOf(store, 'a', 1);
      const rivals = [after(first!), after(first!), after(first!)];
      const next = after(rivals[1]!);
      for (const version of [...rivals, next, rivals[0]!]) expect(await store.prepare(version)).toBe(true);
      for (const version of [first!, ...rivals, next])
        expect(await store.heldVersion('a', digestOf(version))).toEqual(version);
      expect(await store.heldVersion('b', digestOf(next))).toBeUndefined();
      expect(await store.applyVersion(rivals[1]!)).toBe(true);
      for (const gone of [rivals[0]!, rivals[2]!]) {
        expect(await store.heldVersion('a', digestOf(gone))).toBeUndefined();
        expect(await store.prepare(gone)).toBe(false);
      }
      expect(await store.prepare(rivals[1]!)).toBe(false);
      for (const held of [rivals[1]!, next])
        expect(await store.heldVersion('a', digestOf(held))).toEqual(held);
      expect(await store.strongHeads()).toEqual([head(rivals[1]!)]);
    });

    it('R10 keeps the newest hundred prepared versions of a workspace', async () => {
      const store = fresh();
      const other = after('b');
      await store.prepare(other);
      const rivals = Array.from({ length: 102 }, () => after('a'));
      for (const version of rivals) await store.prepare(version);
      const held = await Promise.all(
        [rivals[0]!, rivals[1]!, rivals[2]!, rivals.at(-1)!].map((version) =>
          store.heldVersion('a', digestOf(version)),
        ),
      );
      expect(held).toEqual([undefined, undefined, rivals[2], rivals.at(-1)]);
      expect(await store.heldVersion('b', digestOf(other))).toEqual(other);
    });

    it('R3 a version that is prepared again, among as many as are kept, is held', async () => {
      const store = fresh();
      const rivals = Array.from({ length: 100 }, () => after('a'));
      for (const version of rivals) await store.prepare(version);
      for (const version of [rivals[0]!, rivals.at(-1)!]) {
        expect(await store.prepare(version)).toBe(true);
        expect(await store.heldVersion('a', digestOf(version))).toEqual(version);
      }
      expect(await store.heldVersion('a', digestOf(rivals[1]!))).toEqual(rivals[1]);
    });
  });

  describe('the records of a directory', () => {
    it('R7 a record is put in the place of the expected one, and of no other', async () => {
      const store = fresh();
      expect(await store.directoryRecords(['a'])).toEqual(new Map());
      expect(await store.setDirectoryRecord('a', record(0), record(1))).toBe(false);
      expect(await store.setDirectoryRecord('a', undefined, record(0))).toBe(true);
      expect(await store.setDirectoryRecord('a', undefined, record(1))).toBe(false);
      expect(await store.setDirectoryRecord('a', record(0), record(1))).toBe(true);
      const stale = [
        record(0),
        record(1, { epoch: 2 }),
        record(1, { home: 'eu' }),
        record(1, { digest: 'x'.padStart(43, 'x') }),
      ];
      for (const expected of stale)
        expect(await store.setDirectoryRecord('a', expected, record(9))).toBe(false);
      expect(await store.setDirectoryRecord('b', undefined, record(3))).toBe(true);
      expect(await store.directoryRecords(['b', 'none', 'a'])).toEqual(
        new Map([
          ['a', record(1)],
          ['b', record(3)],
        ]),
      );
      expect(await fresh().directoryRecords(['a', 'b'])).toEqual(new Map());
    });

    it('R7 of compare-and-sets at once on one record exactly one is taken', async () => {
      const store = fresh();
      for (let round = 0; round < 5; round++) {
        const [held] = (await store.directoryRecords(['a'])).values();
        const rivals = Array.from({ length: 8 }, (_, n) => record(round, { home: `r${n}` }));
        const taken = await Promise.all(rivals.map((next) => store.setDirectoryRecord('a', held, next)));
        expect(taken.filter(Boolean)).toHaveLength(1);
        expect((await store.directoryRecords(['a'])).get('a')).toEqual(rivals[taken.indexOf(true)]);
      }
    });
  });
}
