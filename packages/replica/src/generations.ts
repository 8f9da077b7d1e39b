import { CausewayError, canvasName, canvasesScope, parseName, type Decision } from '@causeway/protocol';
import * as Y from 'yjs';
import { cellsEntry, type Cells, type CellsEntry } from './cells.ts';
import { countOrder } from './hybrid-time.ts';
import type { Leftover } from './integrate.ts';

/**
 * A canvas that diverged goes on under the name of its next generation; the copies of the one
 * before are kept as they are. Which generation is the current one is a cell in the workspace's
 * list of canvases.
 */
export type Generation = Pick<Decision, 'generation' | 'keep' | 'equivocators'>;

type Held = ReadonlyMap<string, { value: unknown }>;
type Canvas = { workspace: string; canvas: string; generation: number };

const PREFIX = 'generation|';

/** The cell that makes a decided generation the current one; the same whoever writes it. */
export function generationCell({ document, generation, keep, equivocators }: Decision): CellsEntry {
  const { workspace, canvas } = parseName(document) as Canvas;
  const value: Generation = { generation, keep, equivocators };
  return cellsEntry(canvasesScope(workspace), {
    key: `${PREFIX}${canvas}`,
    v: countOrder(generation),
    value,
  });
}

/** The canvas that a cell of a list of canvases speaks of, when that is about generations. */
export function generationOf({
  key,
  value,
}: {
  key: string;
  value: unknown;
}): { canvas: string; current: Generation } | undefined {
  if (!key.startsWith(PREFIX)) return undefined;
  return { canvas: key.slice(PREFIX.length), current: value as Generation };
}

/** The current generation of a canvas of this list; undefined for the first one. */
const currentIn = (held: Held, canvas: string): Generation | undefined =>
  held.get(`${PREFIX}${canvas}`)?.value as Generation | undefined;

/** Under which names the canvases go on, and what may be written under them. */
export class Generations {
  readonly #cells: Cells;

  constructor(cells: Cells) {
    this.#cells = cells;
  }

  /** The current generation of the canvas that this is a name of; undefined for the first one, and for what is no canvas. */
  async of(name: string): Promise<Generation | undefined> {
    const parsed = parseName(name);
    if (parsed?.kind !== 'canvas') return undefined;
    return currentIn(await this.#cells.open(canvasesScope(parsed.workspace)), parsed.canvas);
  }

  /** The document under which a canvas goes on now. */
  async currentName(workspace: string, canvas: string): Promise<string> {
    const held = await this.#cells.open(canvasesScope(workspace));
    return canvasName(workspace, canvas, currentIn(held, canvas)?.generation);
  }

  /**
   * What has to hold of a canvas before it is read or written, as a check that can be repeated
   * without waiting. It throws `superseded`, `not-here-yet` when the beginning of the generation
   * is not in this region, and `forbidden` for what an equivocator wrote.
   */
  async guard(name: string): Promise<(doc: Y.Doc, brings?: Uint8Array | Leftover) => void> {
    const parsed = parseName(name);
    if (parsed?.kind !== 'canvas') return () => undefined;
    const held = await this.#cells.open(canvasesScope(parsed.workspace));
    return (doc, brings) => {
      const current = currentIn(held, parsed.canvas);
      if (parsed.generation < (current?.generation ?? 1)) throw superseded(parsed, current!);
      if (parsed.generation === 1) return;
      if (parsed.generation !== current?.generation || !holdsBeginning(doc, current)) throw notHereYet();
      if (brings !== undefined) refuseEquivocators(doc, current, brings);
    };
  }

  /** Calls `ended` with a `superseded` error when the canvas goes on under another name, until the returned function is called. */
  watch(name: string, ended: (error: CausewayError) => void): () => void {
    const parsed = parseName(name);
    if (parsed?.kind !== 'canvas') return () => undefined;
    return this.#cells.subscribe(canvasesScope(parsed.workspace), (_scope, cells) => {
      for (const cell of cells) {
        const found = generationOf(cell);
        if (found?.canvas === parsed.canvas && found.current.generation > parsed.generation)
          ended(superseded(parsed, found.current));
      }
    });
  }
}

/** Has what the generation began with arrived? Others may have written more before it does. */
export function holdsBeginning(doc: Y.Doc, { equivocators }: Generation): boolean {
  const { store } = doc;
  return (
    store.clients.size > 0 && equivocators.every(({ client, clock }) => Y.getState(store, client) >= clock)
  );
}

function refuseEquivocators(doc: Y.Doc, { equivocators }: Generation, brings: Uint8Array | Leftover): void {
  const banned = new Set(equivocators.map(({ client }) => client));
  for (const { id, length } of structsIn(brings))
    if (banned.has(id.client) && id.clock + length > Y.getState(doc.store, id.client))
      throw new CausewayError(
        'forbidden',
        'this client wrote different things under one clock; open the canvas with a new Y.Doc',
      );
}

function structsIn(brings: Uint8Array | Leftover): { id: Y.ID; length: number }[] {
  const { structs } =
    brings instanceof Uint8Array
      ? Y.decodeUpdate(brings)
      : brings.structs === null
        ? { structs: [] }
        : Y.decodeUpdateV2(brings.structs);
  return structs.filter((struct) => !(struct instanceof Y.Skip));
}

const superseded = ({ workspace, canvas }: Canvas, { generation }: Generation): CausewayError =>
  new CausewayError('superseded', `it goes on as ${canvasName(workspace, canvas, generation)}`);

const notHereYet = (): CausewayError =>
  new CausewayError('not-here-yet', 'this region does not hold the canvas under this name (yet)', {
    retryAfter: 1,
  });
