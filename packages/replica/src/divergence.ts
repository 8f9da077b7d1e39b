import {
  canvasName,
  decodeStatesAnswer,
  encodeStatesQuestion,
  parseName,
  type Decision,
} from '@causeway/protocol';
import * as Y from 'yjs';
import type { AppendQueue } from './append-queue.ts';
import { replay } from './comparable.ts';
import { canonicalState, documentDigest } from './digest.ts';
import type { Documents } from './documents.ts';
import { equivocatorsOf } from './equivocators.ts';
import { generationCell, type Generations } from './generations.ts';
import { integrateOrReturn } from './integrate.ts';
import { wins, type Cells } from './cells.ts';
import type { Bus, Decisions, Store } from './ports.ts';

type Parts = {
  bus: Bus;
  store: Store;
  documents: Documents;
  cells: Cells;
  generations: Generations;
  queue: AppendQueue;
  decisions: Decisions;
};

export type DivergenceEvents = {
  /** A document was found to differ from a peer's, for the first time. */
  found(name: string, peer: string): void;
  /** The canvas goes on in a new generation, whose beginning was written here. */
  opened(decision: Decision): void;
  failed(error: unknown): void;
};

/** Documents remembered as diverged per peer; those beyond it are told of again with every pass. */
const REMEMBERED = 10_000;

/**
 * What to do about a document of which this region and a peer hold different things under equal
 * state vectors: a client sent one clock with two contents. Nothing is rewritten under its name.
 * One copy is chosen, once for the whole zone, and goes on as the next generation.
 *
 * Every step may be the last one before a crash. Until the new generation is known here, each pass
 * of anti-entropy finds the difference again, proposes again, gets the decision that is in force
 * and writes what it says; the decision carries the copy, so nobody needs to hold it any more.
 */
export class Divergence {
  readonly #parts: Parts;
  readonly #events: DivergenceEvents;
  /** By peer: what the last whole pass found, and what this one has found so far. */
  readonly #known = new Map<string, Set<string>>();
  readonly #found = new Map<string, Set<string>>();
  readonly #settling = new Set<string>();

  constructor(parts: Parts, events: DivergenceEvents) {
    this.#parts = parts;
    this.#events = events;
  }

  /** Documents of which this process knows that they differ from a peer's now. */
  get count(): number {
    return new Set([...this.#known.values()].flatMap((names) => [...names])).size;
  }

  /** Called by a pass over a peer, with every pass again; false when it could not be settled, never rejects. */
  async noticed(name: string, peer: string): Promise<boolean> {
    try {
      if (await this.#isOld(name)) return true;
      this.#remember(name, peer);
      if (parseName(name)?.kind !== 'canvas' || this.#settling.has(name)) return true;
      this.#settling.add(name);
      await this.#settle(name, peer).finally(() => this.#settling.delete(name));
      return true;
    } catch (error) {
      // The next pass tries again.
      this.#events.failed(error);
      return false;
    }
  }

  /** A pass over the peer is complete: what it did not find is no more. */
  passed(peer: string): void {
    this.#known.set(peer, this.#found.get(peer) ?? new Set());
    this.#found.delete(peer);
  }

  /** The canvas goes on in this generation, whoever opened it: its older ones may differ. */
  settled(workspace: string, canvas: string, generation: number): void {
    for (const names of [...this.#known.values(), ...this.#found.values()])
      for (let old = 1; old < generation; old++) names.delete(canvasName(workspace, canvas, old));
  }

  /** Writes the beginning of a generation and makes it the current one, in one transaction; repeats write nothing. */
  async open(decision: Decision): Promise<void> {
    const { documents, cells, queue } = this.#parts;
    const { workspace, canvas } = parseName(decision.document) as { workspace: string; canvas: string };
    const name = canvasName(workspace, canvas, decision.generation);
    const entry = generationCell(decision);
    const [cell] = entry.cells;
    const held = await cells.open(entry.scope);
    await queue.run({
      key: name,
      live: await documents.open(name),
      size: decision.state.length,
      author: (live) => {
        integrateOrReturn(live!.doc, decision.state, 'repair');
        return { answer: undefined, cells: wins(cell!, held.get(cell!.key)) ? [entry] : [] };
      },
    });
    this.#events.opened(decision);
  }

  async #settle(name: string, peer: string): Promise<void> {
    const { bus, store, decisions } = this.#parts;
    const question = encodeStatesQuestion([{ name, stateVector: NOTHING }]);
    const [answer] = decodeStatesAnswer(await bus.ask(peer, 'state', question));
    const copies = [replay(await store.loadDocument(name)), replay(answer?.updates ?? [])];
    try {
      const proposal = await this.#proposal(name, copies);
      if (proposal !== undefined) await this.open(await decisions.decide(proposal));
    } finally {
      for (const doc of copies) doc.destroy();
    }
  }

  /** The copy with the smaller digest, whoever proposes; undefined when they are equal after all. */
  async #proposal(name: string, copies: readonly Y.Doc[]): Promise<Decision | undefined> {
    const { workspace, canvas, generation } = parseName(name) as Canvas;
    const [first, second] = copies
      .map((doc) => ({ doc, digest: documentDigest(name, doc) }))
      .sort((a, b) => (a.digest < b.digest ? -1 : 1));
    if (first!.digest === second!.digest) return undefined;
    const state = canonicalState(first!.doc);
    const before = (await this.#parts.generations.of(name))?.equivocators ?? [];
    const clients = new Set([
      ...before.map(({ client }) => client),
      ...equivocatorsOf(state, canonicalState(second!.doc)),
    ]);
    return {
      document: canvasName(workspace, canvas),
      generation: generation + 1,
      keep: first!.digest.toString(16).padStart(16, '0'),
      equivocators: [...clients]
        .sort((a, b) => a - b)
        .map((client) => ({ client, clock: Y.getState(first!.doc.store, client) })),
      state,
    };
  }

  /** Copies of an old generation differ for ever. */
  async #isOld(name: string): Promise<boolean> {
    const parsed = parseName(name);
    if (parsed?.kind !== 'canvas') return false;
    const current = await this.#parts.generations.of(name);
    return current !== undefined && parsed.generation < current.generation;
  }

  #remember(name: string, peer: string): void {
    const found = this.#found.get(peer) ?? new Set();
    const known = this.#known.get(peer) ?? new Set();
    this.#found.set(peer, found);
    this.#known.set(peer, known);
    if (!known.has(name)) this.#events.found(name, peer);
    for (const names of [found, known]) if (names.size < REMEMBERED) names.add(name);
  }
}

type Canvas = { workspace: string; canvas: string; generation: number };

const NOTHING = Y.encodeStateVector(new Y.Doc());
