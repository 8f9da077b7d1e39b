import * as Y from 'yjs';
import { documentDigest } from './digest.ts';
import { integrate } from './integrate.ts';

/** What of a document two regions compare: equal vectors and deletes with unequal digests are divergence. */
export type Comparable = {
  stateVector: Uint8Array;
  /** Hash of the delete set: deletes do not move state vectors. */
  deletes: bigint;
  digest: bigint;
  /** It holds structs that wait for others. */
  pending: boolean;
};

/** A document as its log says, apart from the one in memory. */
export function replay(rows: readonly Uint8Array[]): Y.Doc {
  const doc = new Y.Doc();
  doc.transact(() => {
    for (const row of rows) integrate(doc, row, 'repair');
  }, 'repair');
  return doc;
}

export function comparableOf(name: string, doc: Y.Doc): Comparable {
  return {
    stateVector: Y.encodeStateVector(doc),
    deletes: deletesOf(doc),
    digest: documentDigest(name, doc),
    pending: hasPending(doc),
  };
}

export const hasPending = (doc: Y.Doc): boolean =>
  doc.store.pendingStructs !== null || doc.store.pendingDs !== null;

/** Do two state vectors say the same? Their encodings may differ in order. */
export function isSameVector(a: Uint8Array, b: Uint8Array): boolean {
  const one = Y.decodeStateVector(a);
  const other = Y.decodeStateVector(b);
  return one.size === other.size && [...one].every(([client, clock]) => other.get(client) === clock);
}

/** FNV-1a, 64 bits, over the ranges in order of client: equal sets have equal hashes. */
function deletesOf(doc: Y.Doc): bigint {
  const { clients } = Y.createDeleteSetFromStructStore(doc.store);
  let hash = 0xcbf29ce484222325n;
  const take = (number: number): void => {
    hash = BigInt.asUintN(64, (hash ^ BigInt(number)) * 0x100000001b3n);
  };
  for (const [client, ranges] of [...clients].sort(([a], [b]) => a - b)) {
    take(client);
    for (const { clock, len } of merged(ranges)) {
      take(clock);
      take(len);
    }
  }
  return hash;
}

function merged(ranges: readonly { clock: number; len: number }[]): { clock: number; len: number }[] {
  const result: { clock: number; len: number }[] = [];
  for (const { clock, len } of ranges.toSorted((a, b) => a.clock - b.clock)) {
    const last = result.at(-1);
    if (last !== undefined && last.clock + last.len >= clock)
      last.len = Math.max(last.len, clock + len - last.clock);
    else result.push({ clock, len });
  }
  return result;
}
