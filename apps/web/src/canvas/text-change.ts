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
  if (isLow(before[before.length - tail])) tail--;
  let head = 0;
  while (head < shorter - tail && before[head] === after[head]) head++;
  if (isHigh(before[head - 1])) head--;
  return { index: head, remove: before.length - head - tail, insert: after.slice(head, after.length - tail) };
}

/** Half a character, the first or the second one; Yjs cannot store one without the other. */
const isHigh = (unit: string | undefined): boolean => unit !== undefined && /[\uD800-\uDBFF]/.test(unit);
const isLow = (unit: string | undefined): boolean => unit !== undefined && /[\uDC00-\uDFFF]/.test(unit);

/** Where a position is after a change by somebody else. What is inserted right at it goes before it. */
export function movedBy({ index, remove, insert }: TextChange, position: number): number {
  if (position < index) return position;
  if (position < index + remove) return index + insert.length;
  return position - remove + insert.length;
}
