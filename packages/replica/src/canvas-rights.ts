import { CausewayError, aboutScope, canvasesScope, parseName, type Right } from '@causeway/protocol';
import type { Cells } from './cells.ts';

type Held = ReadonlyMap<string, { value: unknown }>;
type Of = { workspace: string; canvas: string };

/** The canvas that a document is a copy of, as it is or as it was; undefined for what is no canvas. */
export function canvasOf(name: string): Of | undefined {
  const parsed = parseName(name);
  if (parsed?.kind !== 'canvas' && parsed?.kind !== 'version') return undefined;
  return { workspace: parsed.workspace, canvas: parsed.canvas };
}

/**
 * What members may do with canvases: everybody edits, unless the author of the canvas said
 * otherwise (`right|<member>`, else `right|*` about the canvas). A region that was cut off while a
 * right was taken away goes on by the old one until it hears of it; what was written there stays.
 */
export class CanvasRights {
  readonly #cells: Cells;

  constructor(cells: Cells) {
    this.#cells = cells;
  }

  /** Who made it; undefined while this region does not have it in its list. */
  async author(workspace: string, canvas: string): Promise<string | undefined> {
    return authorIn(await this.#cells.open(canvasesScope(workspace)), canvas);
  }

  async of(workspace: string, canvas: string, member: string): Promise<Right> {
    return (await this.ask({ workspace, canvas }, member))();
  }

  /** Rejects with `forbidden` unless the member may see the canvas. */
  async mustSee(workspace: string, canvas: string, member: string): Promise<void> {
    if ((await this.of(workspace, canvas, member)) === 'none') throw mayNot('see it');
  }

  /** The same as a question that can be repeated without waiting, while a batch is formed. */
  async ask({ workspace, canvas }: Of, member: string): Promise<() => Right> {
    const list = await this.#cells.open(canvasesScope(workspace));
    // A region may hear what its author said of a canvas before it hears who that is: from another region.
    const about = await this.#cells.open(aboutScope(workspace, canvas));
    return () => rightOf(list, about, canvas, member);
  }

  /** What `of` says, when that can be said without reading. */
  known(workspace: string, canvas: string, member: string): Right | undefined {
    const list = this.#cells.known(canvasesScope(workspace));
    const about = this.#cells.known(aboutScope(workspace, canvas));
    return list === undefined || about === undefined ? undefined : rightOf(list, about, canvas, member);
  }

  /**
   * Calls `ended` when the member may no longer see the canvas that this is a name of, or when
   * nobody can say (without a reason), until the returned function is called. `forbidden` at once
   * when that is so already.
   */
  async guard(name: string, member: string, ended: (why?: CausewayError) => void): Promise<() => void> {
    const of = canvasOf(name);
    if (of === undefined) return () => undefined;
    const look = (): Promise<void> => this.mustSee(of.workspace, of.canvas, member);
    const stop = this.watch(name, () => {
      look().catch((error: unknown) => ended(error instanceof CausewayError ? error : undefined));
    });
    // Watched first: a right that is taken away meanwhile is seen by one or the other.
    try {
      await look();
    } catch (error) {
      stop();
      throw error;
    }
    return stop;
  }

  /** Calls `changed` when what members may do with the canvas that this is a name of may have changed. */
  watch(name: string, changed: () => void): () => void {
    const of = canvasOf(name);
    if (of === undefined) return () => undefined;
    const listed = `canvas|${of.canvas}`;
    const unwatch = [
      this.#cells.subscribe(aboutScope(of.workspace, of.canvas), (_scope, cells) => {
        if (cells.some(({ key }) => key.startsWith('right|'))) changed();
      }),
      this.#cells.subscribe(canvasesScope(of.workspace), (_scope, cells) => {
        if (cells.some(({ key }) => key === listed)) changed();
      }),
    ];
    return () => {
      for (const end of unwatch) end();
    };
  }
}

const authorIn = (list: Held, canvas: string): string | undefined =>
  (list.get(`canvas|${canvas}`)?.value as { author: string } | undefined)?.author;

const rightOf = (list: Held, about: Held, canvas: string, member: string): Right =>
  authorIn(list, canvas) === member ? 'edit' : rightIn(about, member);

/** What the cells about a canvas, by key, give to who is not its author. A value that is none of ours opens nothing. */
export function rightIn(about: Held, member: string): Right {
  const value = about.get(`right|${member}`)?.value ?? about.get('right|*')?.value ?? 'edit';
  return value === 'edit' || value === 'view' ? value : 'none';
}

export const mayNot = (what: string): CausewayError =>
  new CausewayError('forbidden', `your right to this canvas is not enough to ${what}; ask its author`);
