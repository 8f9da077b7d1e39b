import { CausewayError, canvasName, parseName, type Right } from '@causeway/protocol';
import type { Awareness } from 'y-protocols/awareness';
import * as Y from 'yjs';
import type { ConnectionStatus } from './link/link.ts';
import type { LinkedDocument } from './link/linked-document.ts';
import type { Session } from './link/session.ts';
import { Store, type Observable } from './stores/store.ts';

/** A canvas as it is open. */
export type CanvasSnapshot = {
  /** Another one once the canvas goes on elsewhere: whoever edits it takes that one up, and lets go of this. */
  doc: Y.Doc;
  /** Who has it open, and their cursors; of `doc`, and replaced with it. */
  awareness: Awareness;
  connection: ConnectionStatus;
  /** A region has committed all that was written here. */
  isSaved: boolean;
  /** What this member may do with it; absent until a region has said so. */
  right?: Exclude<Right, 'none'>;
  /** Why it is not live. */
  error?: CausewayError;
};

/**
 * A canvas that several people edit at once, as a Yjs document for any editor's binding; offline
 * writes wait and merge. When it goes on under another name, this follows: what is shown stays until
 * the new document is here, and what this person wrote meanwhile goes with it. What the region does
 * not take, because they may only view it, is left behind in the same way.
 */
export class CanvasDocument implements Observable<CanvasSnapshot> {
  /** Of the document when it was opened. */
  readonly name: string;
  readonly #session: Session;
  readonly #ended: () => void;
  readonly #store: Store<CanvasSnapshot>;
  #current: LinkedDocument;
  /** Where it goes on, while that is being opened, and whether what was written goes along. */
  #next: { document: LinkedDocument; brings: boolean } | undefined;
  #isLeaving = false;
  #isOver = false;

  constructor(session: Session, name: string, ended: () => void = () => undefined) {
    this.name = name;
    this.#session = session;
    this.#ended = ended;
    this.#current = session.open({ name, withAwareness: true, changed: () => this.#changed() });
    this.#store = new Store(this.#view());
  }

  readonly getSnapshot = (): CanvasSnapshot => this.#store.getSnapshot();
  readonly subscribe = (listener: () => void): (() => void) => this.#store.subscribe(listener);

  /** It was closed, and stays until what was written is saved. */
  get isLeaving(): boolean {
    return this.#isLeaving;
  }

  /** Others hear at once that this person leaves; it ends as soon as what they wrote is saved, or cannot be. */
  close(): void {
    this.#isLeaving = true;
    this.#store.close();
    this.#current.awareness.setLocalState(null);
    this.#next?.document.awareness.setLocalState(null);
    this.#endIfSaved();
  }

  /** Takes up one that is leaving: with what is not saved. */
  reopen(): this {
    this.#isLeaving = false;
    this.#current.awareness.setLocalState({});
    this.#next?.document.awareness.setLocalState({});
    return this;
  }

  /** Ends it, whatever is not saved. */
  drop(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#store.close();
    this.#next?.document.close();
    this.#current.close();
    this.#ended();
  }

  #endIfSaved(): void {
    if (!this.#isLeaving) return;
    const { status } = this.#next?.document ?? this.#current;
    const { isSaved, mayWrite } = this.#current;
    const isDone = this.#next === undefined && (isSaved || mayWrite === false);
    if (isDone || status === 'stopped') this.drop();
  }

  #changed(): void {
    const { status, error, name, isRefused, mayWrite } = this.#current;
    if (this.#next === undefined) {
      const wasIn = mayWrite !== undefined;
      if (status === 'stopped' && error?.code === 'superseded') this.#follow(nextNameOf(name, error), true);
      else if (isRefused || (status === 'stopped' && error?.code === 'forbidden' && wasIn))
        this.#follow(name, false);
    }
    this.#store.set(this.#view());
    this.#endIfSaved();
  }

  #follow(name: string, brings: boolean): void {
    // Under the same name it would hear of what it leaves behind.
    this.#current.detach();
    const document = this.#session.open({
      name,
      withAwareness: true,
      changed: () => {
        if (this.#next?.document !== document) return this.#changed();
        const { status, error } = document;
        if (status === 'live') this.#arrived(document, brings);
        else if (status === 'stopped' && error?.code === 'superseded') {
          document.close();
          this.#follow(nextNameOf(name, error), brings);
        }
        this.#store.set(this.#view());
        this.#endIfSaved();
      },
    });
    if (this.#isLeaving) document.awareness.setLocalState(null);
    this.#next = { document, brings };
  }

  #arrived(document: LinkedDocument, brings: boolean): void {
    const left = this.#current;
    this.#next = undefined;
    this.#current = document;
    if (brings) bringWrites(left.doc, document.doc, this);
    // First the new one is shown, then the old one ends: an editor that is bound to it sees it whole.
    this.#store.set(this.#view());
    left.close();
  }

  #view(): CanvasSnapshot {
    const { doc, awareness, mayWrite, isSaved } = this.#current;
    const { status, error } = this.#next?.document ?? this.#current;
    const maySay = this.#next?.brings === false ? false : mayWrite;
    return {
      doc,
      awareness,
      connection: this.#next !== undefined && status === 'connecting' ? 'reconnecting' : status,
      isSaved: this.#next === undefined && isSaved,
      ...(maySay === undefined ? {} : { right: maySay ? 'edit' : 'view' }),
      ...(error === undefined ? {} : { error }),
    };
  }
}

/** The name that the region gave; a long one does not fit into its close frame, then the next number. */
function nextNameOf(name: string, { message }: CausewayError): string {
  const given = message.slice(message.lastIndexOf(' ') + 1);
  const old = parseName(name);
  const next = parseName(given);
  if (old?.kind !== 'canvas') return given;
  if (next?.kind === 'canvas' && next.canvas === old.canvas && next.generation > old.generation) return given;
  return canvasName(old.workspace, old.canvas, old.generation + 1);
}

/**
 * What one document's own client wrote and the other does not hold, deletes included. Nothing that
 * stands on what the other one left out is taken: it would wait there for ever.
 */
function bringWrites(from: Y.Doc, to: Y.Doc, origin: unknown): void {
  const vector = Y.decodeStateVector(Y.encodeStateVector(from));
  for (const client of vector.keys()) vector.set(client, Number.MAX_SAFE_INTEGER);
  vector.set(from.clientID, Y.getState(to.store, from.clientID));
  Y.applyUpdate(to, Y.encodeStateAsUpdate(from, Y.encodeStateVector(vector)), origin);
  to.store.pendingStructs = null;
  to.store.pendingDs = null;
}
