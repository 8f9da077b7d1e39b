import { CausewayError, LIMITS, parseName } from '@causeway/protocol';
import * as Y from 'yjs';
import type { AppendQueue } from './append-queue.ts';
import { canvasOf, mayNot, type CanvasRights } from './canvas-rights.ts';
import type { Documents } from './documents.ts';
import { holds } from './holds.ts';
import type { Generations } from './generations.ts';
import type { ClientUpdate, LiveDocument } from './live-document.ts';

type Parts = { documents: Documents; generations: Generations; rights: CanvasRights; queue: AppendQueue };

/** Commits what members write into canvases. What lacks something waits outside the document until that has come. */
export class CanvasWrites {
  readonly #parts: Parts;
  readonly #failed: (error: unknown) => void;

  /** `failed` hears of a waiting update that could not be written when its turn came. */
  constructor(parts: Parts, failed: (error: unknown) => void) {
    this.#parts = parts;
    this.#failed = failed;
  }

  /** Resolves after the commit. Rejects with a CausewayError; throws on bytes that are no update. */
  async write(name: string, bytes: Uint8Array, member: string): Promise<void> {
    if (parseName(name)?.kind !== 'canvas')
      throw new CausewayError('read-only', `${name} is no canvas: it is written by commands`);
    decodeOrRefuse(bytes);
    await this.#write(name, { what: bytes, size: bytes.length, member });
  }

  /** Something has come into a document: what waited for it is tried again, each as a write of its own. */
  brought(live: LiveDocument): void {
    for (const update of live.takeDue())
      // Its client resynchronises: a failed commit has dropped the document.
      this.#write(live.name, update).catch((error: unknown) => this.#failed(error));
  }

  /** Commits an update, and then what of the waiting ones it was that they lacked. */
  async #write(name: string, update: ClientUpdate): Promise<void> {
    const { documents, generations, rights, queue } = this.#parts;
    const may = await rights.ask(canvasOf(name)!, update.member);
    const check = await generations.guard(name);
    const live = await documents.open(name);
    const written = await queue.run<LiveDocument>({
      key: name,
      live,
      member: update.member,
      size: update.size,
      author: (live) => {
        check(live!.doc, update.what);
        if (may() !== 'edit' && !isHeld(live!.doc, update)) throw mayNot('change it');
        if (live!.isTooLargeWith(update))
          throw new CausewayError(
            'document-too-large',
            `a canvas holds at most ${LIMITS.canvasBytes} bytes; delete something or begin another one`,
          );
        if (live!.acceptClientUpdate(update)) return { answer: live! };
        throw new CausewayError(
          'not-here-yet',
          'too much of this document waits for what it depends on; connect again',
          { retryAfter: 1 },
        );
      },
    });
    this.brought(written);
  }
}

function decodeOrRefuse(bytes: Uint8Array): void {
  try {
    Y.decodeUpdate(bytes);
  } catch {
    throw new CausewayError('malformed-frame', 'these bytes are no Yjs update (format V1)');
  }
}

/** Every provider says on connecting what it holds: one that may only read must be able to say so. */
const isHeld = (doc: Y.Doc, { what }: ClientUpdate): boolean =>
  what instanceof Uint8Array && holds(doc, what);
