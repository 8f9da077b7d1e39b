import * as Y from 'yjs';
import { canonicalState, stateDigest } from './digest.ts';

/** A row of a document's log as `Store.loadState` gives it. */
export type StoredRow = { id: number; bytes: Uint8Array; held: boolean };

/** What a document's log comes to. */
export type Compacted = {
  /** Everything that the rows hold: integrated, and pending. */
  snapshot: Uint8Array;
  /** Of what is integrated, see documentDigest. */
  digest: bigint;
};

/** Rows from which on a document is rewritten though people write it. */
export const MANY_ROWS = 200;
/** What a row costs besides its bytes: header, indexes. */
const ROW_COST = 120;
/** Cost of a log, in parts of what a fresh copy of the document costs, up to which it is left as it is. */
const WORTH = 1.15;
/** A log of this many bytes is rewritten for what was deleted alone after QUIET_MS, a larger one later in proportion. */
const ERASED_BYTES = 64 * 1024;
/** Milliseconds without a write after which a document counts as quiet. */
export const QUIET_MS = 5_000;

/** The snapshot of a document that was replayed from its rows, and its digest. */
export function compactedOf(name: string, doc: Y.Doc): Compacted {
  const state = canonicalState(doc);
  const isPending = doc.store.pendingStructs !== null || doc.store.pendingDs !== null;
  // Yjs adds what is pending: it waits in the snapshot as it did in the rows.
  return { snapshot: isPending ? Y.encodeStateAsUpdate(doc) : state, digest: stateDigest(name, state) };
}

/** Milliseconds of quiet from which on rewriting pays; `undefined` when it does not. 0: now. */
export function paysAfterMs(rows: readonly StoredRow[], snapshot: Uint8Array): number | undefined {
  if (rows.length >= MANY_ROWS) return 0;
  const bytes = rows.reduce((sum, row) => sum + row.bytes.length, 0);
  if (bytes + rows.length * ROW_COST > WORTH * (snapshot.length + ROW_COST)) return QUIET_MS;
  // Else every deletion of a word would rewrite a whole canvas.
  return erases(rows) ? Math.max(QUIET_MS, (QUIET_MS * bytes) / ERASED_BYTES) : undefined;
}

/**
 * May rows still hold the text of what others of them delete (R13)? The largest one is taken for
 * the copy that all others change; one update never holds text that it deletes itself, Yjs
 * collects that before it encodes.
 */
function erases(rows: readonly StoredRow[]): boolean {
  const largest = rows.reduce((most, row) => (row.bytes.length > most.bytes.length ? row : most), rows[0]!);
  return rows.some((row) => row !== largest && Y.decodeUpdate(row.bytes).ds.clients.size > 0);
}
