import * as Y from 'yjs';

/**
 * Applies an update and retries what stays pending once from an empty pending set: Yjs sometimes
 * strands structs whose dependencies are all there (2 of 20,000 random XML worlds), because it
 * looks at what is missing before it has integrated the update that brings it.
 */
export function integrate(doc: Y.Doc, bytes: Uint8Array, origin: string): void {
  Y.applyUpdate(doc, bytes, origin);
  const stranded = doc.store.pendingStructs;
  if (stranded === null) return;
  doc.store.pendingStructs = null;
  Y.applyUpdateV2(doc, stranded.update, origin);
}

/** Dependencies that Yjs waits for, in its own V2 encoding. */
export type Leftover = { structs: Uint8Array | null; deletes: Uint8Array | null };

/**
 * Applies an update of a client and takes out again whatever could not be integrated, so that
 * nothing unresolved ever rests inside the document: Yjs would later execute a delete that it
 * had put aside. What peers left pending stays where it was.
 */
export function integrateOrReturn(doc: Y.Doc, bytes: Uint8Array, origin: string): Leftover | undefined {
  return withoutPending(doc, () => integrate(doc, bytes, origin));
}

/** The same for what an earlier call returned. */
export function integrateLeftover(doc: Y.Doc, leftover: Leftover, origin: string): Leftover | undefined {
  return withoutPending(doc, () => {
    if (leftover.structs !== null) Y.applyUpdateV2(doc, leftover.structs, origin);
    if (leftover.deletes !== null) Y.applyUpdateV2(doc, leftover.deletes, origin);
  });
}

export const leftoverBytes = (leftover: Leftover): number =>
  (leftover.structs?.length ?? 0) + (leftover.deletes?.length ?? 0);

function withoutPending(doc: Y.Doc, apply: () => void): Leftover | undefined {
  const { store } = doc;
  const held = { structs: store.pendingStructs, deletes: store.pendingDs };
  store.pendingStructs = null;
  store.pendingDs = null;
  apply();
  const left = store.pendingStructs as typeof held.structs;
  const leftover: Leftover = { structs: left?.update ?? null, deletes: store.pendingDs };
  store.pendingStructs = held.structs;
  store.pendingDs = held.deletes;
  // What just arrived may be what the held structs of peers waited for.
  if (held.structs !== null) integrate(doc, EMPTY, REPAIR);
  return leftover.structs === null && leftover.deletes === null ? undefined : leftover;
}

const REPAIR = 'repair';
/** An update without structs or deletes: makes Yjs look at its pending set again. */
const EMPTY = Y.encodeStateAsUpdate(new Y.Doc());
