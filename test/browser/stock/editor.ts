import { Editor } from '@tiptap/core';
import { Collaboration } from '@tiptap/extension-collaboration';
import { CollaborationCaret } from '@tiptap/extension-collaboration-caret';
import { StarterKit } from '@tiptap/starter-kit';
import type { Awareness } from 'y-protocols/awareness';
import * as Y from 'yjs';

/** What a page of these is opened with, in its address. */
export type StockPlace = { url: string; name: string; token: string; user: string; color: string };

export const placeHere = (): StockPlace =>
  Object.fromEntries(new URLSearchParams(location.hash.slice(1))) as StockPlace;

/** Tiptap as its manual sets it up. */
export function showEditor(provider: { awareness: Awareness | null }, doc: Y.Doc): void {
  const { user: name, color } = placeHere();
  new Editor({
    element: document.body,
    extensions: [
      StarterKit.configure({ undoRedo: false }),
      Collaboration.configure({ document: doc }),
      CollaborationCaret.configure({ provider, user: { name, color } }),
    ],
  });
  Object.assign(window, { stateOf: () => stateOf(doc) });
}

/** A document as text, and its bytes re-encoded from a fresh copy: equal content, equal bytes. */
export type DocumentState = { xml: string; bytes: string };

function stateOf(doc: Y.Doc): DocumentState {
  const fresh = new Y.Doc();
  Y.applyUpdate(fresh, Y.encodeStateAsUpdate(doc));
  const bytes = Y.encodeStateAsUpdate(fresh);
  return { xml: doc.getXmlFragment('default').toString(), bytes: bytes.join(' ') };
}
