import { describe, expect, it } from 'vitest';
import { clip } from './closing.ts';

describe('the reason of a close', () => {
  it('fits into the frame, and no character is cut in two', () => {
    expect(clip('short')).toBe('short');
    for (const text of [
      'x'.repeat(500),
      '…'.repeat(100),
      `a${'👍'.repeat(60)}`,
      `\ud800${'é'.repeat(100)}`,
    ]) {
      const clipped = clip(text);
      expect(Buffer.byteLength(clipped)).toBeLessThanOrEqual(123);
      expect(Buffer.byteLength(clipped)).toBeGreaterThan(119);
      expect(text.toWellFormed().startsWith(clipped)).toBe(true);
    }
  });
});
