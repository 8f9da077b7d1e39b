import * as Y from 'yjs';

/**
 * Applies an update. Yjs keeps what it cannot integrate yet, and decides from one of the things
 * which that lacked whether to look at it again: structs are stranded though complete, for good when
 * two leftovers wait for each other (7 of 20,000 random XML worlds), or for as long as that one thing
 * is missing. So whatever is pending is tried once more, from an empty pending set, after every
 * update that brought or left something.
 */
export function integrate(doc: Y.Doc, bytes: Uint8Array, origin: string): void {
  const before = doc.store.pendingStructs?.update;
  const clocks = before === undefined ? 0 : sumOfClocks(doc);
  Y.applyUpdate(doc, bytes, origin);
  const pending = doc.store.pendingStructs;
  if (before === undefined || pending === null) return;
  if (pending.update === before && sumOfClocks(doc) === clocks) return;
  doc.store.pendingStructs = null;
  Y.applyUpdateV2(doc, pending.update, origin);
}

function sumOfClocks({ store }: Y.Doc): number {
  let sum = 0;
  for (const client of store.clients.keys()) sum += Y.getState(store, client);
  return sum;
}

/** Looks again at what peers left pending: what just arrived may be what it waited for. */
export function integratePending(doc: Y.Doc, origin: string): void {
  if (doc.store.pendingStructs !== null || doc.store.pendingDs !== null) integrate(doc, EMPTY, origin);
}

/** An update without structs or deletes: makes Yjs look at its pending sets. */
const EMPTY = Y.encodeStateAsUpdate(new Y.Doc());

/** What of an update could not be integrated, in Yjs' own V2 encoding. */
export type Leftover = {
  structs: Uint8Array | null;
  deletes: Uint8Array | null;
  /** It is worth another try when the document holds more than `clock` of one of these clients. */
  lacks: readonly { client: number; clock: number }[];
};

/**
 * Applies an update of a client and takes out again whatever could not be integrated, so that
 * nothing unresolved ever rests inside the document: Yjs would later execute a delete that it
 * had put aside. What peers left pending stays where it was, see `integratePending`.
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

export const isDue = (doc: Y.Doc, { lacks }: Leftover): boolean =>
  lacks.some(({ client, clock }) => Y.getState(doc.store, client) > clock);

function withoutPending(doc: Y.Doc, apply: () => void): Leftover | undefined {
  const { store } = doc;
  const held = { structs: store.pendingStructs, deletes: store.pendingDs };
  store.pendingStructs = null;
  store.pendingDs = null;
  try {
    apply();
    return leftoverOf(doc);
  } finally {
    store.pendingStructs = held.structs;
    store.pendingDs = held.deletes;
  }
}

function leftoverOf({ store: { pendingStructs: structs, pendingDs: deletes } }: Y.Doc): Leftover | undefined {
  if (structs === null && deletes === null) return undefined;
  const lacks = [...(structs?.missing ?? [])].map(([client, clock]) => ({ client, clock }));
  if (deletes !== null)
    for (const [client, ranges] of Y.decodeUpdateV2(deletes).ds.clients)
      lacks.push({ client, clock: Math.min(...ranges.map(({ clock }) => clock)) });
  return { structs: structs?.update ?? null, deletes, lacks };
}
