import * as Y from 'yjs';

/** Does a document hold all that an update says, its deletes included? Throws on bytes that are none. */
export function holds(doc: Y.Doc, update: Uint8Array): boolean {
  for (const [client, clock] of Y.parseUpdateMeta(update).to)
    if (Y.getState(doc.store, client) < clock) return false;
  for (const [client, ranges] of Y.decodeUpdate(update).ds.clients)
    for (const { clock, len } of ranges) if (!isDeleted(doc, client, clock, clock + len)) return false;
  return true;
}

function isDeleted({ store }: Y.Doc, client: number, from: number, to: number): boolean {
  const structs = store.clients.get(client);
  if (structs === undefined || Y.getState(store, client) < to) return false;
  for (let at = Y.findIndexSS(structs, from); at < structs.length && structs[at]!.id.clock < to; at++)
    if (!structs[at]!.deleted) return false;
  return true;
}
