import { canonical, type Cell } from '@causeway/protocol';
import { sha256 } from '@noble/hashes/sha2.js';
import * as Y from 'yjs';
import { BUCKETS } from './ports.ts';

/** Which bucket a name belongs to: FNV-1a over its UTF-16 units, the same in every region. */
export function bucketOf(name: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < name.length; at++) hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193);
  return (hash >>> 0) % BUCKETS;
}

/**
 * What a document holds, deletes included, as 64 bits. Encodings of one state may differ, those
 * of its re-encodings do not (evidence-crdt.md). The name is part of it, so that the digests of a
 * bucket can be exclusive-ored without two of them cancelling each other out.
 *
 * Structs and deletes that Yjs holds pending do not count: they are not here yet. A region that has
 * one pending and one that never got it show the same and digest the same; whoever holds what it
 * waits for digests differently from both, and they pull from that one.
 */
export function documentDigest(name: string, doc: Y.Doc): bigint {
  return stateDigest(name, canonicalState(doc));
}

/** The digest of a document of which `canonicalState` gave this. */
export function stateDigest(name: string, state: Uint8Array): bigint {
  return first64(name, state);
}

/** The digest of a scope: its cells in key order, as canonical text. */
export function scopeDigest(name: string, cells: readonly Omit<Cell, 'scope'>[]): bigint {
  const text = cells.map(({ key, v, value }) => canonical([key, v, value])).sort();
  return first64(name, new TextEncoder().encode(text.join('\n')));
}

/** What is integrated of a document, encoded from a fresh copy: two regions of equal state do that alike. */
export function canonicalState(doc: Y.Doc): Uint8Array {
  const again = new Y.Doc();
  Y.applyUpdate(again, integratedState(doc));
  const state = Y.encodeStateAsUpdate(again);
  again.destroy();
  return state;
}

/** Y.encodeStateAsUpdate adds what is pending. */
function integratedState(doc: Y.Doc): Uint8Array {
  const { store } = doc;
  const held = { structs: store.pendingStructs, deletes: store.pendingDs };
  store.pendingStructs = null;
  store.pendingDs = null;
  try {
    return Y.encodeStateAsUpdate(doc);
  } finally {
    store.pendingStructs = held.structs;
    store.pendingDs = held.deletes;
  }
}

/** 64 bits of SHA-256 over a name and bytes. */
export function first64(name: string, state: Uint8Array): bigint {
  const hash = sha256
    .create()
    .update(new TextEncoder().encode(`${name}\n`))
    .update(state)
    .digest();
  return new DataView(hash.buffer, hash.byteOffset).getBigUint64(0);
}
