import type { TextChange } from '@causeway/client';

/**
 * The one change that turns `before` into `after`. `caret` is where the caret is after it: among
 * equal characters it tells which ones were typed, and what others write there merges better.
 */
export function changeBetween(before: string, after: string, caret: number): TextChange | undefined {
  if (before === after) return undefined;
  const shorter = Math.min(before.length, after.length);
  const mostTail = after.length - caret;
  let tail = 0;
  while (tail < Math.min(mostTail, shorter) && before.at(-1 - tail) === after.at(-1 - tail)) tail++;
  let head = 0;
  while (head < shorter - tail && before[head] === after[head]) head++;
  return { index: head, remove: before.length - head - tail, insert: after.slice(head, after.length - tail) };
}

/** Where a position is after a change by somebody else. What is inserted right at it goes before it. */
export function movedBy({ index, remove, insert }: TextChange, position: number): number {
  if (position < index) return position;
  if (position < index + remove) return index + insert.length;
  return position - remove + insert.length;
}
