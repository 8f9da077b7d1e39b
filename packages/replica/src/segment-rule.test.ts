import { describe, expect, it } from 'vitest';
import { SEGMENT, highestTop, isFull, lowestTop, topKey } from './segment-rule.ts';

const none = { posts: 0, bytes: 0, operations: 0 };

describe('the segment rule', () => {
  it('R10 a region leaves a segment when its share of any measure is used up', () => {
    for (const regions of [1, 2, 3, 4, 7]) {
      const share = Math.floor(SEGMENT.posts / regions);
      expect(isFull({ ...none, posts: share - 1 }, 0, regions)).toBe(false);
      expect(isFull({ ...none, posts: share }, 0, regions)).toBe(true);
      expect(isFull({ ...none, bytes: SEGMENT.bytes / regions }, 0, regions)).toBe(true);
      expect(isFull({ ...none, operations: SEGMENT.operations / regions }, 0, regions)).toBe(true);
      expect(isFull(none, SEGMENT.hardStopPosts, regions)).toBe(true);
    }
  });

  it('tops: the highest is where to post, below the lowest nothing more comes', () => {
    const cells = new Map<string, { key: string; value: unknown }>(
      (
        [
          ['us', 3],
          ['eu', 5],
        ] as const
      ).map(([region, value]) => [topKey(region), { key: topKey(region), value }]),
    );
    cells.set('topic', { key: 'topic', value: 99 });
    cells.set('top|odd', { key: 'top|odd', value: 'nonsense' });
    expect(highestTop(cells.values())).toBe(5);
    expect(lowestTop(cells, ['us', 'eu'])).toBe(3);
    expect(lowestTop(cells, ['us', 'eu', 'ap'])).toBe(0);
    expect(highestTop([])).toBe(1);
  });
});
