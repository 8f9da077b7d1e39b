import { CausewayError, LIMITS } from '@causeway/protocol';
import * as decoding from 'lib0/decoding';
import * as encoding from 'lib0/encoding';
import {
  Awareness,
  applyAwarenessUpdate,
  encodeAwarenessUpdate,
  removeAwarenessStates,
} from 'y-protocols/awareness';
import * as sync from 'y-protocols/sync';
import * as Y from 'yjs';
import { FRAME, SYNC } from './frames.ts';
import type { ConnectionStatus, Line, Link } from './link.ts';
import { Unsaved } from './unsaved.ts';

/** What fits into a frame beside its address. A region ends the whole connection of who says more. */
const MOST_BYTES = LIMITS.frameBytes - 1_024;

/** What opening a document takes. */
export type DocumentOptions = {
  /** `<workspace>/segment/<channel>/<n>` or `<workspace>/canvas/<id>`. */
  name: string;
  /** Anything but the content changed. */
  changed(): void;
  /** Hear of others who have it open, and tell them of us. */
  withAwareness?: boolean;
};

/**
 * One document on the link of a client. What is here survives the connection: when it is back, both
 * sides say what they have, and only the difference travels.
 */
export class LinkedDocument {
  readonly doc = new Y.Doc();
  readonly name: string;
  readonly #line: Line;
  readonly #changed: () => void;
  readonly #awareness: Awareness | undefined;
  readonly #unsaved = new Unsaved();
  /** What the region was told last, as a state vector, while more than fits waits here; a deletion may make it fit. */
  #told: Uint8Array | undefined;
  #status: ConnectionStatus = 'connecting';
  #error: CausewayError | undefined;
  #mayWrite: boolean | undefined;
  #hasWritten = false;
  #isRefused = false;
  #isClosed = false;

  constructor(link: Link, { name, changed, withAwareness = false }: DocumentOptions) {
    this.name = name;
    this.#changed = changed;
    if (withAwareness) this.#awareness = new Awareness(this.doc);
    this.#line = link.attach(name, {
      joined: (mayWrite) => this.#joined(mayWrite),
      heard: (type, from) => this.#heard(type, from),
      left: (error, isOver) => this.#left(error, isOver),
    });
    this.doc.on('update', (update: Uint8Array, origin: unknown) => {
      if (origin === this) return;
      this.#hasWritten = true;
      this.#say(update);
    });
    this.#awareness?.on('update', this.#tellAwareness);
  }

  get status(): ConnectionStatus {
    return this.#status;
  }

  /** Why it is not live. */
  get error(): CausewayError | undefined {
    return this.#error;
  }

  /** Whether the region takes what is written here; undefined until it has let us in. */
  get mayWrite(): boolean | undefined {
    return this.#mayWrite;
  }

  /** The region has committed everything that was written here. */
  get isSaved(): boolean {
    return this.#unsaved.isNone;
  }

  /** Something that was written here will never be taken. */
  get isRefused(): boolean {
    return this.#isRefused;
  }

  /** Who is here; only with `withAwareness`. */
  get awareness(): Awareness {
    if (this.#awareness === undefined) throw new Error('this document was opened without awareness');
    return this.#awareness;
  }

  /** How far the writes of one Yjs client are here, as in a state vector or a token. */
  clockOf(client: number): number {
    return Y.getState(this.doc.store, client);
  }

  /** Puts in what was kept of it, as if the region had sent it. */
  restore(update: Uint8Array): void {
    Y.applyUpdate(this.doc, update, this);
  }

  /** Neither says nor hears anything from now on; what is here stays. */
  detach(): void {
    this.#line.close();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    // While the line is open others still hear that we leave.
    this.#awareness?.setLocalState(null);
    this.#awareness?.destroy();
    this.#line.close();
    this.doc.destroy();
  }

  #joined(mayWrite: boolean): void {
    this.#unsaved.joined();
    if (this.#mayWrite !== mayWrite) {
      this.#mayWrite = mayWrite;
      this.#changed();
    }
    this.#line.send(FRAME.sync, (to) => sync.writeSyncStep1(to, this.doc));
    if (this.#awareness === undefined) return;
    this.#line.send(FRAME.queryAwareness);
    this.#answerAwareness();
  }

  #heard(type: number, from: decoding.Decoder): void {
    if (this.#isClosed) return;
    if (type === FRAME.sync) this.#sync(from);
    else if (type === FRAME.awareness && this.#awareness !== undefined)
      applyAwarenessUpdate(this.#awareness, decoding.readVarUint8Array(from), this);
    else if (type === FRAME.queryAwareness) this.#answerAwareness();
    else if (type === FRAME.syncStatus) this.#answered(decoding.readVarUint(from) === 1);
  }

  #say(update: Uint8Array): void {
    const lacked = this.#told === undefined ? update : Y.encodeStateAsUpdate(this.doc, this.#told);
    if (lacked.length > MOST_BYTES) return this.#holdBack(this.#told ?? vectorBefore(this.doc, update));
    const isRelieved = this.#told !== undefined;
    this.#told = undefined;
    this.#count(() => (isRelieved ? this.#unsaved.told() : this.#unsaved.wrote()));
    this.#line.send(FRAME.sync, (to) => sync.writeUpdate(to, lacked));
    if (isRelieved) this.#become(this.#status);
  }

  #holdBack(told: Uint8Array): void {
    this.#told = told;
    this.#count(() => this.#unsaved.heldBack());
    this.#become(
      this.#status,
      new CausewayError(
        'frame-too-large',
        'more was written at once than a region takes; take some of it back',
      ),
    );
  }

  #sync(from: decoding.Decoder): void {
    const asked = decoding.clone(from);
    const answer = encoding.createEncoder();
    const what = sync.readSyncMessage(from, answer, this.doc, this);
    if (encoding.length(answer) > MOST_BYTES) {
      decoding.readVarUint(asked);
      this.#holdBack(decoding.readVarUint8Array(asked));
    } else if (encoding.hasContent(answer)) {
      this.#told = undefined;
      this.#count(() => this.#unsaved.told());
      this.#line.send(FRAME.sync, (to) => encoding.writeUint8Array(to, encoding.toUint8Array(answer)));
    }
    if (what === SYNC.step2) this.#become('live', this.#told === undefined ? undefined : this.#error);
  }

  /** The region has committed what we said, or never will. One that lost its disk lacks what others wrote, too. */
  #answered(isCommitted: boolean): void {
    this.#count(() => this.#unsaved.answered());
    if (isCommitted || !this.#hasWritten || this.#isRefused) return;
    this.#isRefused = true;
    this.#changed();
  }

  #count(change: () => void): void {
    const { isSaved } = this;
    change();
    if (isSaved !== this.isSaved) this.#changed();
  }

  #answerAwareness(): void {
    const awareness = this.#awareness;
    if (awareness === undefined || awareness.getLocalState() === null) return;
    this.#line.send(FRAME.awareness, (to) =>
      encoding.writeVarUint8Array(to, encodeAwarenessUpdate(awareness, [this.doc.clientID])),
    );
  }

  /** Only of ourselves: others say what they are. */
  readonly #tellAwareness = (
    { added, updated, removed }: Record<'added' | 'updated' | 'removed', number[]>,
    origin: unknown,
  ): void => {
    const awareness = this.#awareness!;
    const mine = [...added, ...updated, ...removed].filter((client) => client === this.doc.clientID);
    if (origin === this || mine.length === 0) return;
    this.#line.send(FRAME.awareness, (to) =>
      encoding.writeVarUint8Array(to, encodeAwarenessUpdate(awareness, mine)),
    );
  };

  #left(error: CausewayError | undefined, isOver: boolean): void {
    this.#unsaved.left();
    const awareness = this.#awareness;
    if (awareness !== undefined) {
      const others = [...awareness.getStates().keys()].filter((client) => client !== this.doc.clientID);
      removeAwarenessStates(awareness, others, this);
    }
    this.#become(isOver ? 'stopped' : 'reconnecting', error);
  }

  #become(status: ConnectionStatus, error?: CausewayError): void {
    if (this.#isClosed) return;
    this.#status = status;
    this.#error = error;
    this.#changed();
  }
}

/** The state vector of a document as it was before this update of its own. */
function vectorBefore(doc: Y.Doc, update: Uint8Array): Uint8Array {
  const vector = Y.decodeStateVector(Y.encodeStateVector(doc));
  for (const [client, clock] of Y.parseUpdateMeta(update).from) vector.set(client, clock);
  return Y.encodeStateVector(vector);
}
