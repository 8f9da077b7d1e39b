import {
  decodeDecideAnswer,
  decodeDecideQuestion,
  encodeDecideAnswer,
  encodeDecideQuestion,
  type DecideQuestion,
  type Decision,
} from '@causeway/protocol';
import type { Bus, Decisions, Store } from './ports.ts';

type Parts = { region: string; regions: readonly string[]; bus: Bus; store: Store };

/**
 * The first region of the zone, by name, decides; its database keeps what it decided. A stand-in:
 * while that region is away nothing is decided, and what it decided is lost with its disk.
 */
export class FirstRegionDecides implements Decisions {
  readonly #parts: Parts;
  readonly #decider: string;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#decider = parts.regions.toSorted()[0]!;
  }

  async decide(proposal: Decision): Promise<Decision> {
    const { document, generation } = proposal;
    return (await this.#ask({ document, generation, proposal }))!;
  }

  inForce(document: string, generation: number): Promise<Decision | undefined> {
    return this.#ask({ document, generation });
  }

  /** What another region asks, when we are the one that decides. */
  async answer(question: Uint8Array): Promise<Uint8Array> {
    const { region } = this.#parts;
    if (region !== this.#decider) throw new Error(`${region} does not decide, ${this.#decider} does`);
    return encodeDecideAnswer(await this.#here(decodeDecideQuestion(question)));
  }

  async #ask(question: DecideQuestion): Promise<Decision | undefined> {
    const { region, bus } = this.#parts;
    if (region === this.#decider) return this.#here(question);
    return decodeDecideAnswer(await bus.ask(this.#decider, 'decide', encodeDecideQuestion(question)));
  }

  #here({ document, generation, proposal }: DecideQuestion): Promise<Decision | undefined> {
    const { store } = this.#parts;
    return proposal === undefined ? store.decision(document, generation) : store.decide(proposal);
  }
}
