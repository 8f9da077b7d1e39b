import type { Store } from '@causeway/replica';
import { describe, expect, it } from 'vitest';
import { cells } from './contract-rows.ts';

const waiting = (at: number, region: string, more: object = {}) => ({
  at,
  ...more,
  // The text of a post may say what it likes.
  post: { body: '","region":"us"}{"at":1,"post":', kind: 'post' },
  region,
});

/** Finding scheduled posts that are due. */
export function dueContract(fresh: () => Store): void {
  describe('due', () => {
    it('R4 finds what waits and is due, the earliest first: of the own region at once, of others later', async () => {
      const store = fresh();
      await store.append([
        cells(
          'acme/member/ada',
          ['scheduled|a', '1', waiting(200, 'us')],
          ['scheduled|b', '1', waiting(100, 'us')],
          ['scheduled|c', '1', waiting(150, 'eu')],
          ['scheduled|d', '1', waiting(50, 'eu')],
          ['scheduled|e', '1', waiting(201, 'us')],
          ['draft|f', '1', waiting(1, 'us')],
        ),
        cells('acme/member/ben', ['scheduled|g', '1', waiting(100, 'a_us')], ['scheduled|h', '1', null]),
      ]);
      const asked = { region: 'us', own: 200, others: 100, limit: 10 };
      const keys = async (more: Partial<typeof asked> = {}): Promise<string[]> =>
        (await store.due({ ...asked, ...more })).map(
          ({ scope, key }) => `${scope.slice(12)} ${key.slice(10)}`,
        );
      expect(await keys()).toEqual(['ada d', 'ada b', 'ben g', 'ada a']);
      expect(await keys({ limit: 2 })).toEqual(['ada d', 'ada b']);
      expect(await keys({ region: 'eu' })).toEqual(['ada d', 'ada b', 'ben g', 'ada c']);
      expect(await keys({ others: 0 })).toEqual(['ada b', 'ada a']);
      expect(await fresh().due(asked)).toEqual([]);
    });

    it('R4 forgets what was sent, cancelled, moved or cannot be sent', async () => {
      const store = fresh();
      const keys = ['a', 'b', 'c', 'd'].map((key) => `scheduled|${key}`);
      await store.append([
        cells(
          'acme/member/ada',
          ...keys.map((key): [string, string, unknown] => [key, '1', waiting(1, 'us')]),
        ),
      ]);
      const asked = { region: 'us', own: 10, others: 0, limit: 10 };
      expect(await store.due(asked)).toHaveLength(4);
      await store.append([
        cells(
          'acme/member/ada',
          [keys[0]!, '2', { at: 1, sent: true }],
          [keys[1]!, '2', null],
          [keys[2]!, '2', waiting(11, 'us')],
          [keys[3]!, '2', waiting(1, 'us', { failed: 'forbidden' })],
        ),
      ]);
      expect(await store.due(asked)).toEqual([]);
      expect(await store.due({ ...asked, own: 11 })).toMatchObject([{ key: keys[2], v: '2' }]);
    });
  });
}
