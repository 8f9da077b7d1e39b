import { CausewayError, ERRORS, canvasName, parseName, type Decision } from '@causeway/protocol';
import * as Y from 'yjs';
import type { AppendQueue } from './append-queue.ts';
import type { Documents } from './documents.ts';
import { generationOf, holdsBeginning, type Generation } from './generations.ts';
import { integrateOrReturn } from './integrate.ts';
import { Nudges } from './nudges.ts';
import type { Decisions, Store, Time } from './ports.ts';

type Parts = {
  store: Store;
  documents: Documents;
  queue: AppendQueue;
  decisions: Decisions;
  time: Time;
};

export type SuccessionEvents = {
  /** A canvas goes on in a newer generation than was known to this process. */
  began(workspace: string, canvas: string, generation: number): void;
  /** Writes the beginning of a generation that nobody has written or that got lost. */
  open(decision: Decision): Promise<void>;
  failed(error: unknown): void;
};

/** Without another reason the table is looked through this often, milliseconds; sooner after a failure. */
const EVERY_MS = 60_000;
const RETRY_MS = 2_000;

type Place = { workspace: string; canvas: string };

/**
 * Carries what arrives late in old generations of a canvas into the current one: somebody who
 * was offline, or in a region that was cut off, went on writing there. What equivocators wrote is
 * left out, and so is what stands on it; both stay in the old copy. One process of a region
 * does this. Regions do it side by side: the structs are the same ones.
 */
export class Succession {
  readonly #parts: Parts;
  readonly #events: SuccessionEvents;
  readonly #nudges = new Nudges();
  /** Canvases with more than one generation, by the name of the first one. */
  readonly #current = new Map<string, Place & Generation>();
  /** Among them those whose old copies have to be looked at, and those whose beginning has not arrived. */
  readonly #due = new Set<string>();
  readonly #awaited = new Set<string>();
  #isTableDue = true;

  constructor(parts: Parts, events: SuccessionEvents) {
    this.#parts = parts;
    this.#events = events;
  }

  /** Works until the signal fires; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { time } = this.#parts;
    signal.addEventListener('abort', () => this.#nudges.nudge(), { once: true });
    this.#current.clear();
    let lookedAt = -Infinity;
    while (!signal.aborted) {
      let waitMs = EVERY_MS;
      try {
        const isLate = time.now() - lookedAt >= EVERY_MS;
        if (isLate || this.#isTableDue) await this.#look();
        if (isLate) lookedAt = time.now();
        if (isLate) await this.#recover();
        await this.#carryAll(signal);
      } catch (error) {
        if (!signal.aborted) this.#events.failed(error);
        waitMs = RETRY_MS;
      }
      if (!signal.aborted) await this.#nudges.wait(time, waitMs);
    }
  }

  /** Something of these documents and scopes was committed in this region, by whomever. */
  changed(names: ReadonlySet<string>): void {
    for (const name of names) {
      const parsed = parseName(name);
      if (parsed?.kind === 'workspace') this.#isTableDue = true;
      else if (parsed?.kind === 'canvas')
        this.#wrote(canvasName(parsed.workspace, parsed.canvas), parsed.generation);
      else continue;
      if (this.#isTableDue || this.#due.size > 0) this.#nudges.nudge();
    }
  }

  #wrote(document: string, generation: number): void {
    const current = this.#current.get(document);
    if (current === undefined) return;
    if (generation < current.generation || this.#awaited.has(document)) this.#due.add(document);
  }

  /** Reads which canvases have generations; all of them are looked at when this process begins. */
  async #look(): Promise<void> {
    this.#isTableDue = false;
    try {
      for (const cell of await this.#parts.store.generations()) {
        const scope = parseName(cell.scope);
        const found = generationOf(cell);
        if (scope?.kind !== 'workspace' || found === undefined) continue;
        const { canvas, current } = found;
        const { workspace } = scope;
        const document = canvasName(workspace, canvas);
        if ((this.#current.get(document)?.generation ?? 1) >= current.generation) continue;
        this.#current.set(document, { workspace, canvas, ...current });
        this.#due.add(document);
        this.#events.began(workspace, canvas, current.generation);
      }
    } catch (error) {
      this.#isTableDue = true;
      throw error;
    }
  }

  /**
   * The cell arrived and its document did not, for a minute: the region that wrote both may have
   * lost its disk in between. The decision knows what it was.
   */
  async #recover(): Promise<void> {
    for (const document of this.#awaited) {
      const { generation } = this.#current.get(document)!;
      const decision = await this.#parts.decisions.inForce(document, generation);
      if (decision !== undefined) await this.#events.open(decision);
    }
  }

  async #carryAll(signal: AbortSignal): Promise<void> {
    for (const document of this.#due) {
      if (signal.aborted) return;
      // Before it is done: what arrives meanwhile makes it due again.
      this.#due.delete(document);
      try {
        await this.#carry(document, this.#current.get(document)!);
      } catch (error) {
        if (!isFinal(error)) {
          this.#due.add(document);
          throw error;
        }
        // It stays aside, and holds up no other one.
        this.#events.failed(error);
      }
    }
  }

  async #carry(document: string, current: Place & Generation): Promise<void> {
    const { documents, queue } = this.#parts;
    const { workspace, canvas, generation } = current;
    const name = canvasName(workspace, canvas, generation);
    if (!holdsBeginning((await documents.open(name)).doc, current)) return void this.#awaited.add(document);
    this.#awaited.delete(document);
    for (let old = 1; old < generation; old++) {
      const { doc, bytes } = await documents.open(canvasName(workspace, canvas, old));
      // What is not committed there is nobody's yet.
      await queue.settled(canvasName(workspace, canvas, old));
      await queue.run({
        key: name,
        live: await documents.open(name),
        size: bytes,
        author: (live) => {
          integrateOrReturn(live!.doc, Y.encodeStateAsUpdate(doc, lacking(live!.doc, current)), 'repair');
          return { answer: undefined };
        },
      });
    }
  }
}

/** Another try would fail likewise: a document that is too large, or that Yjs fails on. */
const isFinal = (error: unknown): boolean =>
  error instanceof CausewayError && ERRORS[error.code].next !== 'retry';

/** The state vector of a document as though it held all that equivocators ever wrote. */
function lacking(doc: Y.Doc, { equivocators }: Generation): Uint8Array {
  const vector = Y.decodeStateVector(Y.encodeStateVector(doc));
  for (const { client } of equivocators) vector.set(client, Number.MAX_SAFE_INTEGER);
  return Y.encodeStateVector(vector);
}
