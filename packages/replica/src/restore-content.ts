import * as Y from 'yjs';

type Type = Y.AbstractType<unknown>;
/** What still has to be copied: the content of one type into a fresh one of its kind. */
type Work = { from: Type; to: Type }[];

/** The authors that a restore writes under. */
export type RestoreClients = {
  /** Of what stands in sequences; made of the command and the version, see `contentUpdate`. */
  content: number;
  /** Of what stands under the keys of root maps. */
  keys: number;
};

/**
 * The update that gives a document the content of a version, whatever its root types are, and the
 * bytes of its state with it: what stands
 * now is deleted, and what stood then is written anew, as a person would who types it all again.
 * Yjs does not say of what type a root is, so each is taken as what it may be: a sequence (text,
 * array, XML) and a map.
 *
 * A sequence is written as one chain that stands on nothing of the document, under an author that
 * only this restore has. So whoever carries it out, and on whatever state, makes the same structs:
 * a second time is no second copy. Keys of root maps stand on what they replace; there a second
 * time replaces the first.
 */
export function restoreUpdate(
  current: Y.Doc,
  version: Y.Doc,
  clients: RestoreClients,
): { update: Uint8Array; bytesAfter: number } {
  const content = contentUpdate(version, clients.content);
  const result = new Y.Doc();
  Y.applyUpdate(result, Y.encodeStateAsUpdate(current));
  result.clientID = clients.keys;
  result.transact((transaction) => {
    for (const root of rootsOf(result)) deleteSequence(transaction, root, clients.content);
    Y.applyUpdate(result, content);
    for (const name of new Set([...version.share.keys(), ...result.share.keys()]))
      restoreKeys(transaction, version.get(name) as Type, result.get(name) as Type);
  });
  const update = Y.encodeStateAsUpdate(result, Y.encodeStateVector(current));
  const bytesAfter = Y.encodeStateAsUpdate(result).length;
  result.destroy();
  return { update, bytesAfter };
}

/** The sequences of all roots, as a document of their own. */
function contentUpdate(version: Y.Doc, client: number): Uint8Array {
  const doc = new Y.Doc();
  doc.clientID = client;
  doc.transact((transaction) => {
    // In one order, so that the same content is the same structs.
    for (const name of [...version.share.keys()].sort()) {
      const work: Work = [];
      copySequence(transaction, version.get(name) as Type, doc.get(name) as Type, work);
      copyAll(transaction, work);
    }
  });
  const update = Y.encodeStateAsUpdate(doc);
  doc.destroy();
  return update;
}

const rootsOf = (doc: Y.Doc): Type[] => [...doc.share.values()] as Type[];

function deleteSequence(transaction: Y.Transaction, type: Type, except: number): void {
  for (let item = type._start; item !== null; item = item.right)
    if (!item.deleted && item.id.client !== except) item.delete(transaction);
}

function restoreKeys(transaction: Y.Transaction, from: Type, to: Type): void {
  for (const [key, item] of to._map) {
    const then = from._map.get(key);
    if (!item.deleted && (then === undefined || then.deleted)) item.delete(transaction);
  }
  for (const [key, item] of from._map) {
    const now = to._map.get(key);
    const isUntouched =
      now !== undefined &&
      !now.deleted &&
      Y.compareIDs(now.id, item.id) &&
      !(item.content instanceof Y.ContentType);
    if (item.deleted || isUntouched) continue;
    const work: Work = [];
    write(transaction, item, to, now ?? null, key, work);
    copyAll(transaction, work);
  }
}

/** Not by recursion: a hostile canvas may be nested as deeply as it has bytes. */
function copyAll(transaction: Y.Transaction, work: Work): void {
  for (let next = work.pop(); next !== undefined; next = work.pop()) {
    copySequence(transaction, next.from, next.to, work);
    for (const [key, item] of next.from._map)
      if (!item.deleted) write(transaction, item, next.to, null, key, work);
  }
}

function copySequence(transaction: Y.Transaction, from: Type, to: Type, work: Work): void {
  let left: Y.Item | null = null;
  for (let item = from._start; item !== null; item = item.right)
    if (!item.deleted) left = write(transaction, item, to, left, null, work);
}

/** Writes a copy of an item behind `left`; a type is copied empty, and put to the work that is left. */
function write(
  transaction: Y.Transaction,
  item: Y.Item,
  to: Type,
  left: Y.Item | null,
  key: string | null,
  work: Work,
): Y.Item {
  const { clientID, store } = transaction.doc;
  const content = item.content.copy();
  const id = Y.createID(clientID, Y.getState(store, clientID));
  const copy = new Y.Item(id, left, left?.lastId ?? null, null, null, to, key, content);
  copy.integrate(transaction, 0);
  if (item.content instanceof Y.ContentType && content instanceof Y.ContentType)
    work.push({ from: item.content.type, to: content.type });
  return copy;
}
