import { channelScope, segmentName } from '@causeway/protocol';
import { Segment, unionOf, type Copy } from '@causeway/replica';
import * as Y from 'yjs';
import { CHANNEL, WORKSPACE, type Region } from './world.ts';

/** A region as its database says, without any process: what is durable. */
export type Durable = {
  /** Re-encoded state of each document, base64. */
  documents: Record<string, string>;
  /** Of the channel's messages. */
  views: Record<string, unknown>;
  /** Messages deleted in any segment. */
  deleted: Set<string>;
  cells: unknown[];
  /** What of the table id -> segments contradicts the documents. */
  contradictions: string[];
};

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

/** Encodings of one state may differ; those of its re-encodings do not (evidence-crdt.md). */
export function reencoded(updates: readonly Uint8Array[]): { doc: Y.Doc; bytes: string } {
  const doc = new Y.Doc();
  for (const update of updates) Y.applyUpdate(doc, update);
  const again = new Y.Doc();
  Y.applyUpdate(again, Y.encodeStateAsUpdate(doc));
  return { doc, bytes: base64(Y.encodeStateAsUpdate(again)) };
}

/** Replays a region's log from nothing. */
export async function durable(
  { store }: Region,
  scopes: readonly string[],
  canvases: readonly string[] = [],
): Promise<Durable> {
  const channel = channelScope(WORKSPACE, CHANNEL);
  const documents: Record<string, string> = {};
  const copies = new Map<string, Copy[]>();
  const places = new Map<string, Set<number>>();
  for (const { segment: number } of await store.segments(channel)) {
    const name = segmentName(WORKSPACE, CHANNEL, number);
    const { doc, bytes } = reencoded(await store.loadDocument(name));
    documents[name] = bytes;
    const segment = new Segment(doc);
    for (const id of new Set([...segment.ids(), ...segment.deletedIds()])) {
      copies.set(id, [...(copies.get(id) ?? []), segment.copy(id)]);
      if (segment.has(id) || segment.isDeleted(id)) places.set(id, (places.get(id) ?? new Set()).add(number));
    }
  }
  for (const name of canvases) documents[name] = reencoded(await store.loadDocument(name)).bytes;
  const table = await store.copies([...copies.keys()].map((id) => ({ channel, id })));
  const contradictions = [...places].flatMap(([id, held]) => {
    const known = table.filter((row) => row.id === id).map(({ segment }) => segment);
    return [...held].every((segment) => known.includes(segment))
      ? []
      : [`${id}: ${[...held]} not in ${known}`];
  });
  const ids = [...copies.keys()].sort();
  return {
    documents,
    views: Object.fromEntries(ids.map((id) => [id, unionOf(copies.get(id)!, Number.MAX_SAFE_INTEGER)])),
    deleted: new Set(ids.filter((id) => copies.get(id)!.some((copy) => copy.deleted))),
    cells: await store.loadCells([channel, ...scopes]),
    contradictions,
  };
}
