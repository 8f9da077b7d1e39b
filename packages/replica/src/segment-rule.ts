/**
 * When a region leaves a segment for the next one, without asking anybody: each of the R regions
 * of a zone may put its share into a segment, so that together they stay under the whole. The
 * count is looked at when a post is authored and never refuses an append.
 */
export const SEGMENT = { posts: 500, bytes: 256 * 1024, operations: 5_000, hardStopPosts: 2_000 } as const;

export type Authored = { posts: number; bytes: number; operations: number };

/** True when this region's share of the segment is used up, or the segment is full whoever wrote it. */
export function isFull(own: Authored, totalPosts: number, regions: number): boolean {
  return (
    own.posts >= Math.floor(SEGMENT.posts / regions) ||
    own.bytes >= SEGMENT.bytes / regions ||
    own.operations >= SEGMENT.operations / regions ||
    totalPosts >= SEGMENT.hardStopPosts
  );
}

/** Key of the channel cell that holds a region's newest segment. */
export const topKey = (region: string): string => `top|${region}`;

/** The highest segment that any region has opened; 1 in a channel without posts. */
export function highestTop(cells: Iterable<{ key: string; value: unknown }>): number {
  let top = 1;
  for (const { key, value } of cells)
    if (key.startsWith('top|') && typeof value === 'number') top = Math.max(top, value);
  return top;
}

/** The lowest of the regions' tops: what lies below it gets no more posts. 0 while a region has none. */
export function lowestTop(
  cells: ReadonlyMap<string, { value: unknown }>,
  regions: readonly string[],
): number {
  const tops = regions.map((region) => cells.get(topKey(region))?.value);
  return Math.min(...tops.map((top) => (typeof top === 'number' ? top : 0)));
}
