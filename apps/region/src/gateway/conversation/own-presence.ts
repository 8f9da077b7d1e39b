import { memberScope, type Presence, type Typing } from '@causeway/protocol';
import type { Replica } from '@causeway/replica';

type PresenceParts = {
  workspace: string;
  member: string;
  replica: Replica;
  /** Members that are watched have changed. */
  presence(changes: readonly Presence[]): void;
  /** Somebody else types in a channel that is watched. */
  typing(typing: Typing): void;
};

type Chosen = { mode?: unknown; until?: unknown };

/** That the member of one conversation is here, whom it watches, and where it hears people type. */
export class OwnPresence {
  readonly #parts: PresenceParts;
  readonly #session;
  readonly #leaveChoice: () => void;
  readonly #channels = new Map<string, () => void>();
  #watch: { close(): void } | undefined;
  #isClosed = false;

  constructor(parts: PresenceParts) {
    const { workspace, member, replica } = parts;
    this.#parts = parts;
    this.#session = replica.presence.enter(workspace, member);
    const scope = memberScope(workspace, member);
    this.#leaveChoice = replica.subscribeCells(scope, (_scope, cells) => {
      if (cells.some(({ key }) => key === 'availability')) void this.#choose(scope);
    });
    void this.#choose(scope);
  }

  idle(isIdle: boolean): void {
    this.#session.idle(isIdle);
  }

  /** Watches these in place of those before; how they are now. */
  watch(members: readonly string[]): readonly Presence[] {
    const { workspace, replica, presence } = this.#parts;
    this.#watch?.close();
    const watch = replica.presence.watch(workspace, [...new Set(members)], presence);
    this.#watch = watch;
    return watch.states;
  }

  types(channel: string, thread: string | undefined): void {
    const { workspace, member, replica } = this.#parts;
    replica.presence.typing(workspace, channel, member, thread);
  }

  /** Hears who else types in a channel. */
  listen(channel: string): void {
    const { workspace, member, replica, typing } = this.#parts;
    if (this.#channels.has(channel) || this.#isClosed) return;
    const stop = replica.presence.watchTyping(workspace, channel, (said) => {
      if (said.member !== member) typing(said);
    });
    this.#channels.set(channel, stop);
  }

  leave(channel: string): void {
    this.#channels.get(channel)?.();
    this.#channels.delete(channel);
  }

  close(): void {
    this.#isClosed = true;
    this.#leaveChoice();
    this.#session.leave();
    this.#watch?.close();
    for (const stop of this.#channels.values()) stop();
    this.#channels.clear();
  }

  /** What the member chose, as the cell holds it now; without it, or while it cannot be read, what the client says goes. */
  async #choose(scope: string): Promise<void> {
    const cells = await this.#parts.replica.cells.open(scope).catch(() => undefined);
    const { mode, until } = (cells?.get('availability')?.value ?? {}) as Chosen;
    if (this.#isClosed || (mode !== 'auto' && mode !== 'away' && mode !== 'dnd')) return;
    this.#session.mode(mode, typeof until === 'number' ? until : undefined);
  }
}
