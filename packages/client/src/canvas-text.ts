import { CausewayError } from '@causeway/protocol';
import * as Y from 'yjs';
import { ConnectedDocument, type ConnectionStatus, type DocumentPlace } from './connected-document.ts';
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

/** A canvas as plain text that several people write at once; offline writes wait and merge. */
export class CanvasText {
  readonly #document: ConnectedDocument;
  readonly #text: Y.Text;
  readonly #undo: Y.UndoManager;
  readonly #listeners = new Listeners();
  readonly #member: string;
  #snapshot: CanvasSnapshot | undefined;

  constructor(place: DocumentPlace, member: string) {
    this.#member = member;
    this.#document = new ConnectedDocument(place, { changed: () => this.#changed() });
    this.#text = this.#document.doc.getText(ROOT);
    this.#undo = new Y.UndoManager(this.#text, { trackedOrigins: new Set([this]) });
    this.#text.observe(() => this.#changed());
    this.#document.awareness.setLocalStateField('member', member);
    this.#document.awareness.on('change', () => this.#changed());
  }

  readonly getSnapshot = (): CanvasSnapshot => (this.#snapshot ??= this.#view());
  readonly subscribe = (listener: () => void): (() => void) => this.#listeners.add(listener);

  /** Calls `listener` with every change that `change` did not make. */
  onRemote(listener: RemoteListener): () => void {
    const observer = ({ delta }: Y.YTextEvent, { origin }: Y.Transaction): void => {
      if (origin !== this) listener(changesOf(delta));
    };
    this.#text.observe(observer);
    return () => this.#text.unobserve(observer);
  }

  change({ index, remove, insert }: TextChange): void {
    this.#document.doc.transact(() => {
      if (remove > 0) this.#text.delete(index, remove);
      if (insert !== '') this.#text.insert(index, insert);
    }, this);
  }

  /** Takes this person's last change back, and nobody else's. */
  undo(): void {
    this.#undo.undo();
  }

  redo(): void {
    this.#undo.redo();
  }

  close(): void {
    this.#listeners.clear();
    this.#undo.destroy();
    this.#document.close();
  }

  #changed(): void {
    this.#snapshot = undefined;
    this.#listeners.tell();
  }

  #view(): CanvasSnapshot {
    const { status, error } = this.#document;
    return {
      text: this.#text.toString(),
      connection: status,
      others: this.#others(),
      ...(error === undefined ? {} : { error }),
    };
  }

  #others(): string[] {
    const members = [...this.#document.awareness.getStates().values()]
      .map((state): unknown => state['member'])
      .filter((member) => typeof member === 'string' && member !== this.#member) as string[];
    return [...new Set(members)].sort();
  }
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
