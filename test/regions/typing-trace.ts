import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import * as Y from 'yjs';

/** One keystroke or paste: [position, characters deleted, text inserted] on the document as its author saw it. */
export type Transaction = { parents: number[]; agent: number; patches: [number, number, string][] };
export type Trace = { endContent: string; numAgents: number; txns: Transaction[] };

export const readTrace = (path: string): Trace =>
  JSON.parse(gunzipSync(readFileSync(path)).toString()) as Trace;

/** Where a typist types, and how far the other's typing has come through the network to it. */
export type Desk = {
  /** Takes the typist's own update, as the app's document. */
  wire: Y.Doc;
  /** Resolves when the wire holds `clock` of `client`. */
  reached(client: number, clock: number): Promise<void>;
};

/** A keystroke that takes this long is lost, milliseconds. */
const PATIENCE_MS = 30_000;

/** `Desk.reached` for a document that a provider fills. */
export const reachedIn =
  (wire: Y.Doc): Desk['reached'] =>
  (client, clock) =>
    new Promise((resolve, reject) => {
      const here = (): number => Y.getState(wire.store, client);
      const patience = setTimeout(
        () => reject(new Error(`${clock} of ${client} did not come; here is ${here()}`)),
        PATIENCE_MS,
      );
      const look = (): void => {
        if (here() < clock) return;
        wire.off('update', look);
        clearTimeout(patience);
        resolve();
      };
      wire.on('update', look);
      look();
    });

type Typist = { doc: Y.Doc; typed: { txn: number; update: Uint8Array; clock: number }[]; heard: number };

/**
 * Replays a two-person session. Positions in the trace count on the document that its author saw,
 * so what a typist sees is let through from the wire exactly as far as the trace says, and never
 * before the network has brought it.
 */
export async function typeTrace(trace: Trace, desks: readonly Desk[]): Promise<void> {
  const typists: Typist[] = desks.map(() => ({ doc: new Y.Doc(), typed: [], heard: 0 }));
  // Yjs orders what was typed at one place at once by clientID; the trace's text has the first typist first.
  const clients = typists.map(({ doc }) => doc.clientID).sort((a, b) => a - b);
  for (const [agent, { doc }] of typists.entries()) doc.clientID = clients[agent]!;
  const seen: [number, number][] = [];
  for (const [number, txn] of trace.txns.entries()) {
    const me = txn.agent;
    const other = 1 - me;
    const knows: [number, number] = [-1, -1];
    for (const parent of txn.parents)
      for (const agent of [0, 1] as const) knows[agent] = Math.max(knows[agent], seen[parent]![agent]);
    await hear(typists[me]!, typists[other]!, desks[me]!, knows[other]!);
    const typist = typists[me]!;
    const update = type(typist.doc, txn.patches);
    typist.typed.push({ txn: number, update, clock: Y.getState(typist.doc.store, typist.doc.clientID) });
    Y.applyUpdate(desks[me]!.wire, update, 'typist');
    knows[me as 0 | 1] = number;
    seen.push(knows);
  }
}

async function hear(typist: Typist, other: Typist, desk: Desk, until: number): Promise<void> {
  const fresh = other.typed.slice(typist.heard).filter(({ txn }) => txn <= until);
  const last = fresh.at(-1);
  if (last === undefined) return;
  await desk.reached(other.doc.clientID, last.clock);
  for (const { update } of fresh) Y.applyUpdate(typist.doc, update, 'network');
  typist.heard += fresh.length;
}

function type(doc: Y.Doc, patches: Transaction['patches']): Uint8Array {
  const before = Y.encodeStateVector(doc);
  const text = doc.getText('text');
  doc.transact(() => {
    for (const [position, deleted, inserted] of patches) {
      if (deleted > 0) text.delete(position, deleted);
      if (inserted !== '') text.insert(position, inserted);
    }
  });
  return Y.encodeStateAsUpdate(doc, before);
}
