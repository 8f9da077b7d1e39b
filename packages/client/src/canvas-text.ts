import { CausewayError, canvasName, parseName } from '@causeway/protocol';
import * as Y from 'yjs';
import type { ConnectionStatus } from './link/link.ts';
import type { LinkedDocument } from './link/linked-document.ts';
import type { Session } from './link/session.ts';
import { Listeners } from './listeners.ts';

export type CanvasSnapshot = {
  text: string;
  connection: ConnectionStatus;
  error?: CausewayError;
  /** Others who have this canvas open, by member id. */
  others: readonly string[];
};

/** One change of a text: at `index`, take `remove` characters away and put `insert` there. */
export type TextChange = { index: number; remove: number; insert: string };

/** A change of the text by somebody else, in the order in which they apply. */
export type RemoteListener = (changes: readonly TextChange[]) => void;

/** The name of the text in a canvas document. */
const ROOT = 'text';

/** A canvas under one of its names. */
type Sheet = { document: LinkedDocument; text: Y.Text; undo: Y.UndoManager };

/**
 * A canvas as plain text that several people write at once; offline writes wait and merge. When
 * it goes on under another name, this follows: what is shown stays until the new document is
 * here, and what this person wrote meanwhile goes with it.
 */
export class CanvasText {
  readonly #session: Session;
  readonly #member: string;
  readonly #listeners = new Listeners();
  readonly #remote = new Set<RemoteListener>();
  #sheet: Sheet;
  /** Where it goes on, while that is being opened. */
  #next: LinkedDocument | undefined;
  /** This person's writes were brought along to where it is now. */
  #hasBrought = false;
  #snapshot: CanvasSnapshot | undefined;

  constructor(session: Session, name: string, member: string) {
    this.#session = session;
    this.#member = member;
    this.#sheet = this.#take(session.open({ name, changed: () => this.#changed(), withAwareness: true }));
  }

  readonly getSnapshot = (): CanvasSnapshot => (this.#snapshot ??= this.#view());
  readonly subscribe = (listener: () => void): (() => void) => this.#listeners.add(listener);

  /** Calls `listener` with every change that `change` did not make. */
  onRemote(listener: RemoteListener): () => void {
    this.#remote.add(listener);
    return () => void this.#remote.delete(listener);
  }

  change({ index, remove, insert }: TextChange): void {
    const { document, text } = this.#sheet;
    document.doc.transact(() => {
      if (remove > 0) text.delete(index, remove);
      if (insert !== '') text.insert(index, insert);
    }, this);
  }

  /** Takes this person's last change back, and nobody else's. */
  undo(): void {
    this.#sheet.undo.undo();
  }

  redo(): void {
    this.#sheet.undo.redo();
  }

  close(): void {
    this.#listeners.clear();
    this.#remote.clear();
    this.#next?.close();
    this.#leave(this.#sheet);
  }

  #take(document: LinkedDocument): Sheet {
    const text = document.doc.getText(ROOT);
    const undo = new Y.UndoManager(text, { trackedOrigins: new Set([this]) });
    text.observe(({ delta }, { origin }) => {
      this.#snapshot = undefined;
      if (origin !== this) this.#tellRemote(changesOf(delta));
      this.#listeners.tell();
    });
    document.awareness.setLocalStateField('member', this.#member);
    document.awareness.on('change', () => this.#tell());
    return { document, text, undo };
  }

  #leave({ document, undo }: Sheet): void {
    undo.destroy();
    document.close();
  }

  #changed(): void {
    const { status, error, name } = this.#sheet.document;
    if (status === 'stopped' && this.#next === undefined) {
      if (error?.code === 'superseded') this.#follow(nextNameOf(name, error), true);
      // What was brought along is not wanted there: without it, this person reads and writes on.
      else if (error?.code === 'forbidden' && this.#hasBrought) this.#follow(name, false);
    }
    this.#tell();
  }

  #follow(name: string, bring: boolean): void {
    const next = this.#session.open({
      name,
      withAwareness: true,
      changed: () => {
        if (this.#next !== next) return this.#changed();
        if (next.status === 'live') this.#arrived(next, bring);
        else if (next.status === 'stopped' && next.error?.code === 'superseded') {
          next.close();
          this.#follow(nextNameOf(name, next.error), bring);
        }
        this.#tell();
      },
    });
    this.#next = next;
  }

  #arrived(next: LinkedDocument, bring: boolean): void {
    const left = this.#sheet;
    this.#next = undefined;
    this.#hasBrought = bring;
    this.#sheet = this.#take(next);
    if (bring) bringWrites(left.document.doc, next.doc, this);
    const before = left.text.toString();
    this.#leave(left);
    this.#snapshot = undefined;
    const change = changeBetween(before, this.#sheet.text.toString());
    if (change !== undefined) this.#tellRemote([change]);
  }

  #tellRemote(changes: readonly TextChange[]): void {
    for (const listener of this.#remote) listener(changes);
  }

  #tell(): void {
    this.#snapshot = undefined;
    this.#listeners.tell();
  }

  #view(): CanvasSnapshot {
    const { status, error } = this.#next ?? this.#sheet.document;
    return {
      text: this.#sheet.text.toString(),
      connection: this.#next !== undefined && status === 'connecting' ? 'reconnecting' : status,
      others: this.#others(),
      ...(error === undefined ? {} : { error }),
    };
  }

  #others(): string[] {
    const members = [...this.#sheet.document.awareness.getStates().values()]
      .map((state): unknown => state['member'])
      .filter((member) => typeof member === 'string' && member !== this.#member) as string[];
    return [...new Set(members)].sort();
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

/** One change that makes one text of another; undefined when they are equal. */
function changeBetween(before: string, after: string): TextChange | undefined {
  if (before === after) return undefined;
  let start = 0;
  while (start < before.length && start < after.length && before[start] === after[start]) start++;
  let end = 0;
  const most = Math.min(before.length, after.length) - start;
  while (end < most && before.at(-1 - end) === after.at(-1 - end)) end++;
  const insert = after.slice(start, after.length - end);
  return { index: start, remove: before.length - start - end, insert };
}

/** A Yjs delta as changes; their indexes count from the text as the changes before left it. */
function changesOf(delta: Y.YTextEvent['delta']): TextChange[] {
  const changes: TextChange[] = [];
  let index = 0;
  for (const { retain, insert, delete: remove } of delta) {
    index += retain ?? 0;
    if (remove !== undefined) changes.push({ index, remove, insert: '' });
    if (typeof insert !== 'string') continue;
    changes.push({ index, remove: 0, insert });
    index += insert.length;
  }
  return changes;
}
