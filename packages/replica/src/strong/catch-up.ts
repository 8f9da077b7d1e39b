import {
  digestOf,
  encodeTalk,
  readAnswer,
  type Head,
  type TalkAnswer,
  type Version,
} from '@causeway/protocol';
import { BusDown, type Bus } from '../ports.ts';
import type { StrongLog } from './log.ts';
import type { StrongStore } from './ports.ts';

type Parts = { log: StrongLog; store: StrongStore; bus: Bus; peers: readonly string[] };

/**
 * Brings a workspace to a version that is known to be decided: from what was prepared here, and from
 * whoever else has it. What is prepared is believed by its digest alone, through the chain; what a peer
 * has applied it applied in the same way.
 */
export class CatchUp {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Whether the workspace is at `target` or beyond; `given` are versions that somebody sent along. */
  async to(workspace: string, target: Head, given: readonly Version[] = []): Promise<boolean> {
    const pool = new Map(given.map((version) => [digestOf(version), version]));
    if (await this.#climb(workspace, target, pool)) return true;
    // All at once: one of them may be out of reach, which takes seconds to show.
    const asking = this.#parts.peers.map(async (peer) => {
      if (!(await this.#from(peer, workspace, target, pool))) throw new BusDown(`${peer} does not have it`);
    });
    await Promise.any(asking).catch(() => undefined);
    return (await this.#parts.log.state(workspace)).version >= target.version;
  }

  async #from(peer: string, workspace: string, target: Head, pool: Map<string, Version>): Promise<boolean> {
    const { log } = this.#parts;
    for (;;) {
      const after = (await log.state(workspace)).version;
      if (after >= target.version) return true;
      const { applied, held } = await this.#ask(peer, workspace, after, target.digest);
      for (const version of applied) await log.append(version);
      for (const version of held) pool.set(digestOf(version), version);
      if (await this.#climb(workspace, target, pool)) return true;
      if ((await log.state(workspace)).version === after) return false;
    }
  }

  async #ask(peer: string, workspace: string, after: number, digest: string): Promise<TalkAnswer<'changes'>> {
    const question = encodeTalk({ workspace, after, digest });
    const { applied, held } = readAnswer('changes', await this.#parts.bus.ask(peer, 'changes', question));
    const isOurs = (version: Version): boolean => version.workspace === workspace;
    return { applied: applied.filter(isOurs), held: held.filter(isOurs) };
  }

  /** Applies the chain that ends with `target`, if all of it is at hand. */
  async #climb(workspace: string, target: Head, pool: ReadonlyMap<string, Version>): Promise<boolean> {
    const { log, store } = this.#parts;
    const { head } = await log.state(workspace);
    const chain: Version[] = [];
    let digest = target.digest;
    for (let number = target.version; number > head.version; number--) {
      const version = pool.get(digest) ?? (await store.heldVersion(workspace, digest));
      if (version?.version !== number) return false;
      chain.unshift(version);
      digest = version.before;
    }
    for (const version of chain) await log.append(version);
    return (await log.state(workspace)).version >= target.version;
  }
}
