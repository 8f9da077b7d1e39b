import { CausewayError, type Version } from '@causeway/protocol';
import type { Founding, StrongStore } from './ports.ts';
import { WorkspaceState, type Applied } from './state.ts';

/** Versions read from the store at a time. */
const PAGE = 500;

type Held = {
  readonly founding: Founding;
  state: WorkspaceState;
  /** The last reading of the store; the next one waits for it. */
  reading: Promise<WorkspaceState> | undefined;
  /** Somebody asked for another reading while one was under way, which may have missed what he means. */
  again: boolean;
  isLoaded: boolean;
  readonly listeners: Set<(applied: readonly Applied[]) => void>;
};

/**
 * The strong logs of a zone's workspaces as this process holds them: folded from the store, and never
 * ahead of it. Other processes of the region apply versions too, so it reads whenever somebody says that
 * there may be more.
 */
export class StrongLog {
  readonly #store: StrongStore;
  readonly #held: ReadonlyMap<string, Held>;

  readonly #appended: (version: Version) => void;

  /** `appended`: this process applied it, others of the region may not know. */
  constructor(store: StrongStore, foundings: readonly Founding[], appended: (version: Version) => void) {
    this.#store = store;
    this.#appended = appended;
    this.#held = new Map(
      foundings.map((founding) => [
        founding.id,
        {
          founding,
          state: WorkspaceState.founded(founding),
          reading: undefined,
          again: false,
          isLoaded: false,
          listeners: new Set(),
        },
      ]),
    );
  }

  /** As applied here, as far as this process knows. Rejects with the store's error before it was read once. */
  async state(workspace: string): Promise<WorkspaceState> {
    const held = this.#of(workspace);
    return held.isLoaded ? held.state : this.read(workspace);
  }

  /** As applied here now. */
  read(workspace: string): Promise<WorkspaceState> {
    const held = this.#of(workspace);
    if (held.reading !== undefined) {
      held.again = true;
      return held.reading;
    }
    held.reading = this.#read(held);
    return held.reading;
  }

  /** Applies what follows; false when it does not follow, or another process was first. */
  async append(version: Version): Promise<boolean> {
    const { head } = await this.state(version.workspace);
    const follows = version.version === head.version + 1 && version.before === head.digest;
    const isApplied = follows && (await this.#store.applyVersion(version));
    await this.read(version.workspace);
    if (isApplied) this.#appended(version);
    return isApplied;
  }

  /** Calls `listener` with what comes into force from now on, in order, until the returned function is called. */
  watch(workspace: string, listener: (applied: readonly Applied[]) => void): () => void {
    const { listeners } = this.#of(workspace);
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }

  async #read(held: Held): Promise<WorkspaceState> {
    try {
      do {
        held.again = false;
        const versions = await this.#store.strongVersions(held.founding.id, held.state.version, PAGE);
        for (const version of versions) this.#fold(held, version);
        held.again ||= versions.length === PAGE;
      } while (held.again);
      held.isLoaded = true;
      return held.state;
    } finally {
      // In the same turn as the last look at `again`: who asks later begins a reading of his own.
      held.reading = undefined;
    }
  }

  #fold(held: Held, version: Version): void {
    const { head } = held.state;
    if (version.version !== head.version + 1 || version.before !== head.digest)
      throw new Error(`version ${version.version} of a strong log does not follow version ${head.version}`);
    const applied = held.state.apply(version);
    if (!held.isLoaded) return;
    for (const listener of held.listeners) listener(applied);
  }

  #of(workspace: string): Held {
    const held = this.#held.get(workspace);
    if (held === undefined) throw new CausewayError('not-found', 'there is no such workspace in this zone');
    return held;
  }
}
