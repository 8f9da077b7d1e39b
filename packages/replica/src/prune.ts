import * as Y from 'yjs';
import { ROW_BYTES, type AppendQueue } from './append-queue.ts';
import type { Documents } from './documents.ts';
import { hybridFromText, millisOf } from './hybrid-time.ts';
import type { Copy, Segment } from './segment.ts';
import { byOrder } from './union.ts';

/** Edits of a message that are never pruned, the newest ones. */
const KEPT_EDITS = 50;
/** What dominates must be older than this. */
const DOMINATED_MS = 3_600_000;

/** What of one message may go, and when the youngest of what dominates it is old enough, in milliseconds since 1970. */
type Dominated = { id: string; edits: string[]; posts: string[]; at: number };

/**
 * Edits beyond the newest 50 and later copies of a message: the only keys of a segment that are
 * ever taken out while the message lives. Never the edit that counts nor the copy that counts, in
 * whatever segments the others are, since what dominates stays in the same document.
 */
function* dominatedIn(segment: Segment): Generator<Dominated> {
  for (const id of segment.ids()) {
    const copy = segment.copy(id);
    const edits = dominatedEdits(copy);
    const posts = laterCopies(copy);
    if (edits !== undefined) yield { id, edits: edits.commands, posts: [], at: edits.at };
    if (posts !== undefined) yield { id, edits: [], posts: posts.times, at: posts.at };
  }
}

function dominatedEdits({ edits }: Copy): { commands: string[]; at: number } | undefined {
  // A peer's nonsense has no order and so dominates nothing.
  const ordered = edits.filter(({ value }) => Number.isFinite(value?.v)).sort(byOrder);
  const older = ordered.slice(0, -KEPT_EDITS);
  if (older.length === 0) return undefined;
  return { commands: older.map(({ command }) => command), at: dueAt(ordered.at(-1)!.value.v) };
}

function laterCopies({ posts }: Copy): { times: string[]; at: number } | undefined {
  const [first, ...later] = posts;
  if (first === undefined || later.length === 0) return undefined;
  const hybrid = hybridFromText(first.t);
  return hybrid === 0 ? undefined : { times: later.map(({ t }) => t), at: dueAt(hybrid) };
}

const dueAt = (hybrid: number): number => millisOf(hybrid) + DOMINATED_MS;

/** When something of a segment may be pruned first, milliseconds since 1970; `undefined`: nothing ever, as it stands. */
export function prunableAt(segment: Segment): number | undefined {
  let first: number | undefined;
  for (const { at } of dominatedIn(segment)) first = Math.min(at, first ?? at);
  return first;
}

/**
 * Prunes a segment; resolves after the commit. False when there was nothing to prune, or when its
 * state does not fit into a row.
 *
 * The row carries the document's whole state, not only the deletes. Otherwise a region that is
 * cut off from the author of the newer edits, but not from us, would receive the prune before
 * what dominates: post here, edit 1 there and heard by all, edits 2 to 51 there and heard by
 * us alone, edit 1 pruned by us: the third region shows the original text.
 */
export async function prune(
  { documents, queue, now }: { documents: Documents; queue: AppendQueue; now(): number },
  name: string,
): Promise<boolean> {
  const live = await documents.open(name);
  return queue.run<boolean>({
    key: name,
    live,
    size: live.bytes,
    whole: true,
    author: (live) => {
      const due = [...dominatedIn(live!.segment!)].filter(({ at }) => at <= now());
      if (due.length === 0 || Y.encodeStateAsUpdate(live!.doc).length > ROW_BYTES) return { answer: false };
      for (const { id, edits, posts } of due) live!.segment!.prune(id, edits, posts);
      return { answer: true };
    },
  });
}
