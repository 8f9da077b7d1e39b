import { channelScope, parseName } from '@causeway/protocol';
import * as Y from 'yjs';
import type { SegmentIndex } from './ports.ts';
import { splitKey } from './segment.ts';

/**
 * Reads from the bytes of an update which messages it posts, edits and deletes, without loading
 * the document. It can, because every key of a segment is written once: a struct that sets a
 * fresh key always carries its root and key (Yjs leaves them out only where a left neighbour,
 * that is an earlier value of the same key, implies them).
 *
 * `undefined` for documents that are not segments.
 */
export function indexUpdate(name: string, bytes: Uint8Array): SegmentIndex | undefined {
  const parsed = parseName(name);
  if (parsed?.kind !== 'segment') return undefined;
  const index: SegmentIndex = {
    channel: channelScope(parsed.workspace, parsed.channel),
    segment: parsed.segment,
    posts: [],
    edits: [],
    deletes: [],
    operations: 0,
  };
  for (const struct of Y.decodeUpdate(bytes).structs) {
    if (!(struct instanceof Y.Item) || struct.parentSub === null) continue;
    index.operations++;
    const root = struct.parent as unknown;
    const [id, tail] = splitKey(struct.parentSub);
    if (root === 'm' && tail !== '') index.posts.push({ id, t: tail });
    else if (root === 'e' && tail !== '') index.edits.push(id);
    else if (root === 'x') index.deletes.push(id);
  }
  return index;
}
