import type { AvailabilityMode } from '@causeway/protocol';
import { BOUNDS } from './bounds.ts';
import { Roster, type Standing } from './roster.ts';
import { memberKey, STATE, stateOfSession, type State } from './state.ts';

/** One connected client, held by its door. After `leave` it does nothing. */
export interface PresenceSession {
  /** The person has left the screen, or is back. */
  idle(isIdle: boolean): void;
  /** What the member chose; from `until` on (milliseconds since 1970) it is `auto`. */
  mode(mode: AvailabilityMode, until?: number): void;
  leave(): void;
}

/** The sessions of this process, and what it has announced of them. */
export class Sessions {
  readonly #changed: (key: string) => void;
  readonly #members = new Map<string, Set<Session>>();
  readonly #untilLater = new Set<Session>();
  /** What others have been told. */
  readonly roster = new Roster();
  readonly #untold = new Set<string>();

  /** `changed` is told of a member whose state in this process is another one now. */
  constructor(changed: (key: string) => void) {
    this.#changed = changed;
  }

  state(key: string): State {
    let strongest: State = STATE.offline;
    for (const { state } of this.#members.get(key) ?? []) if (state > strongest) strongest = state;
    return strongest;
  }

  enter(workspace: string, member: string, mode: AvailabilityMode, until?: number): PresenceSession {
    const key = memberKey(workspace, member);
    const session = new Session({
      changed: (was) => this.#moved(key, session, was),
      until: (has) => void (has ? this.#untilLater.add(session) : this.#untilLater.delete(session)),
    });
    session.mode(mode, until);
    return session;
  }

  /** Ends what was chosen until a time that has come. */
  look(now: number): void {
    for (const session of this.#untilLater) if (now >= session.until!) session.mode('auto');
  }

  /** What others do not know yet, in messages of their own number each; they know it when they are sent. */
  *tell(): Generator<{ n: number; standings: Standing[] }> {
    const changes = [...this.#untold]
      .map((key) => ({ key, state: this.state(key) }))
      .filter(({ key, state }) => state !== this.roster.state(key));
    this.#untold.clear();
    for (let at = 0; at < changes.length; at += BOUNDS.entries) {
      const n = this.roster.latest + 1;
      const standings = changes.slice(at, at + BOUNDS.entries).filter(({ key, state }) => {
        // Whoever is one too many is shown in this process only, and told when there is room.
        const hasRoom = this.roster.count < BOUNDS.members || this.roster.state(key) !== STATE.offline;
        if (hasRoom || state === STATE.offline) return this.roster.set({ key, state }, n);
        this.#untold.add(key);
        return false;
      });
      if (standings.length > 0) yield { n, standings };
    }
    this.roster.settle(this.roster.latest);
  }

  #moved(key: string, session: Session, was: State): void {
    const sessions = this.#members.get(key) ?? new Set();
    const others = Math.max(
      STATE.offline,
      ...[...sessions].filter((other) => other !== session).map(({ state }) => state),
    );
    if (session.state === STATE.offline) sessions.delete(session);
    else sessions.add(session);
    if (sessions.size === 0) this.#members.delete(key);
    else this.#members.set(key, sessions);
    if (Math.max(others, was) === Math.max(others, session.state)) return;
    this.#untold.add(key);
    this.#changed(key);
  }
}

type Told = { changed(was: State): void; until(has: boolean): void };

class Session implements PresenceSession {
  readonly #told: Told;
  #mode: AvailabilityMode = 'auto';
  #isIdle = false;
  #hasLeft = false;
  until: number | undefined;
  state: State = STATE.offline;

  constructor(told: Told) {
    this.#told = told;
  }

  idle(isIdle: boolean): void {
    this.#isIdle = isIdle;
    this.#look();
  }

  mode(mode: AvailabilityMode, until?: number): void {
    this.#mode = mode;
    this.until = mode === 'auto' ? undefined : until;
    this.#told.until(!this.#hasLeft && this.until !== undefined);
    this.#look();
  }

  leave(): void {
    this.#hasLeft = true;
    this.#told.until(false);
    this.#look();
  }

  #look(): void {
    const was = this.state;
    this.state = this.#hasLeft ? STATE.offline : stateOfSession(this.#mode, this.#isIdle);
    if (was !== this.state) this.#told.changed(was);
  }
}
