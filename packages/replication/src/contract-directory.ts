import { base64url, firstHead, type DirectoryRecord } from '@causeway/protocol';
import type { Directory } from '@causeway/replica';
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

export const digest = (): string => base64url(randomBytes(32));
export const foundingRecord = (workspace: string, home = 'us'): DirectoryRecord => ({
  ...firstHead(workspace),
  epoch: 1,
  home,
});
export const recordAfter = ({ version, ...rest }: DirectoryRecord): DirectoryRecord => ({
  ...rest,
  version: version + 1,
  digest: digest(),
});

/** What every directory does: asked in three regions, with nothing in the way. */
export function directoryContract(
  name: string,
  open: () => Promise<{ regions: readonly Directory[]; close(): Promise<void> }>,
): void {
  describe(`the contract of directories: ${name}`, () => {
    let opened: Awaited<ReturnType<typeof open>>;
    beforeAll(async () => {
      opened = await open();
    });
    afterAll(() => opened?.close());

    it('R7 a record is put where there is none, once, and follows the one that was expected', async () => {
      const [us, eu, ap] = opened.regions as [Directory, Directory, Directory];
      const first = foundingRecord('one');
      expect(await us.compareAndSet('one', undefined, first)).toBe(true);
      for (const region of opened.regions) expect((await region.read(['one'])).get('one')).toEqual(first);
      expect(await eu.compareAndSet('one', undefined, first)).toBe(false);
      const second = recordAfter(first);
      expect(await eu.compareAndSet('one', first, second)).toBe(true);
      expect(await ap.compareAndSet('one', first, recordAfter(first))).toBe(false);
      // The same again says that it is still so.
      expect(await us.compareAndSet('one', second, second)).toBe(true);
      expect((await ap.read(['one', 'nobody'])).size).toBe(1);
      expect((await ap.read(['one'])).get('one')).toEqual(second);
    });

    it('R7 of three that claim one at the same time exactly one wins, ten times of ten', async () => {
      for (let round = 0; round < 10; round++) {
        const workspace = `race-${round}`;
        const claims = opened.regions.map((_, at) => foundingRecord(workspace, `home-${at}`));
        const won = await Promise.all(
          opened.regions.map((region, at) => region.compareAndSet(workspace, undefined, claims[at]!)),
        );
        expect(won.filter(Boolean)).toHaveLength(1);
        expect((await opened.regions[1]!.read([workspace])).get(workspace)).toEqual(
          claims[won.indexOf(true)],
        );
      }
    });
  });
}
