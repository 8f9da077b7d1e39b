import { CausewayError, type Presence } from '@causeway/protocol';
import { BOUNDS } from './bounds.ts';
import { memberKey } from './state.ts';

export type PresenceListener = (changes: readonly Presence[]) => void;

/** Members as they stood when the watch began; the listener hears of every change after that. */
export interface PresenceWatch {
  readonly states: readonly Presence[];
  close(): void;
}

type Watched = { member: string; state: Presence['state']; listeners: Set<PresenceListener> };

/** Who wants to hear of which members. */
export class Watches {
  readonly #stateOf: (key: string) => Presence['state'];
  readonly #watched = new Map<string, Watched>();

  constructor(stateOf: (key: string) => Presence['state']) {
    this.#stateOf = stateOf;
  }

  /** Throws `invalid-request` for more members than one watch may name. */
  add(workspace: string, members: readonly string[], listener: PresenceListener): PresenceWatch {
    const distinct = [...new Set(members)];
    if (distinct.length > BOUNDS.watched)
      throw new CausewayError('invalid-request', `at most ${BOUNDS.watched} members are watched at once`);
    // A listener of its own for this watch: the same function may watch the same member twice.
    const hear: PresenceListener = (changes) => listener(changes);
    const states = distinct.map((member) => {
      const key = memberKey(workspace, member);
      const watched = this.#watched.get(key) ?? { member, state: this.#stateOf(key), listeners: new Set() };
      this.#watched.set(key, watched);
      watched.listeners.add(hear);
      return { member, state: watched.state };
    });
    const close = (): void => {
      for (const member of distinct) this.#remove(memberKey(workspace, member), hear);
    };
    return { states, close };
  }

  /** Something about these members may have changed. */
  look(keys: readonly string[]): void {
    const news = new Map<PresenceListener, Presence[]>();
    for (const key of keys) {
      const watched = this.#watched.get(key);
      if (watched === undefined) continue;
      const state = this.#stateOf(key);
      if (state === watched.state) continue;
      watched.state = state;
      for (const listener of watched.listeners) {
        const changes = news.get(listener);
        if (changes === undefined) news.set(listener, [{ member: watched.member, state }]);
        else changes.push({ member: watched.member, state });
      }
    }
    for (const [listener, changes] of news) listener(changes);
  }

  #remove(key: string, listener: PresenceListener): void {
    const watched = this.#watched.get(key);
    watched?.listeners.delete(listener);
    if (watched?.listeners.size === 0) this.#watched.delete(key);
  }
}
