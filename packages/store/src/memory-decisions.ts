import type { Decision } from '@causeway/protocol';

/** What one region decided for its zone: one decision for each document and generation. */
export class MemoryDecisions {
  readonly #kept = new Map<string, Decision>();

  decide(proposal: Decision): Decision {
    const key = keyOf(proposal.document, proposal.generation);
    if (!this.#kept.has(key)) this.#kept.set(key, copyOf(proposal));
    return copyOf(this.#kept.get(key)!);
  }

  decision(document: string, generation: number): Decision | undefined {
    const kept = this.#kept.get(keyOf(document, generation));
    return kept === undefined ? undefined : copyOf(kept);
  }
}

const keyOf = (document: string, generation: number): string => `${document}\n${generation}`;
const copyOf = (decision: Decision): Decision => structuredClone(decision);
