import type { Message } from '@causeway/protocol';
import { hybridFromText, millisOf } from './hybrid-time.ts';
import type { Copy, EditValue } from './segment.ts';

export type Edit = { command: string; value: EditValue };

/** The edit that counts: the largest `v`, ties by command id. */
export function winningEdit(edits: readonly Edit[]): Edit | undefined {
  return edits.reduce<Edit | undefined>(
    (best, edit) => (best === undefined || isLater(edit, best) ? edit : best),
    undefined,
  );
}

const isLater = (a: Edit, b: Edit): boolean =>
  a.value.v > b.value.v || (a.value.v === b.value.v && a.command > b.command);

/** The order of a message's edits, oldest first. */
export const byOrder = (a: Edit, b: Edit): number => (isLater(a, b) ? 1 : -1);

/**
 * A message as readers see it, from its copies in all segments that hold it: the smallest `t` is
 * the message, the largest `v` its text, one `x` anywhere its end. `undefined` when it is deleted
 * or its post is not here yet. A time from a fast clock is shown as `now` at most (R14).
 */
export function unionOf(copies: readonly Copy[], now: number): Message | undefined {
  if (copies.some((copy) => copy.deleted)) return undefined;
  const first = copies
    .flatMap((copy) => copy.posts)
    .reduce<Copy['posts'][number] | undefined>(
      (best, post) => (best === undefined || post.t < best.t ? post : best),
      undefined,
    );
  if (first === undefined) return undefined;
  const edits = new Map(copies.flatMap((copy) => copy.edits).map((edit) => [edit.command, edit]));
  const winner = winningEdit([...edits.values()]);
  const { a, b, o, r, c } = first.value;
  return {
    id: copies[0]!.id,
    author: a,
    body: winner?.value.b ?? b,
    t: first.t,
    at: Math.min(millisOf(hybridFromText(first.t)), now),
    region: o,
    ...(r === undefined ? {} : { thread: r }),
    ...(c === undefined ? {} : { also: true as const }),
    ...(winner === undefined
      ? {}
      : { editedAt: winner.value.v, history: historyOf(first.t, b, edits, winner) }),
  };
}

function historyOf(
  t: string,
  original: string,
  edits: ReadonlyMap<string, Edit>,
  winner: Edit,
): { body: string; v: number }[] {
  const earlier = [...edits.values()].filter((edit) => edit !== winner).sort(byOrder);
  return [
    { body: original, v: hybridFromText(t) },
    ...earlier.map(({ value }) => ({ body: value.b, v: value.v })),
  ];
}

/** Order on screen, newest first: `t`, then id. */
export const newestFirst = (a: { t: string; id: string }, b: { t: string; id: string }): number =>
  a.t === b.t ? (a.id < b.id ? 1 : -1) : a.t < b.t ? 1 : -1;
