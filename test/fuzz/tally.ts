import { DOORS, type Door, type Kind } from './frames.ts';

type Count = Map<string, number>;

/** What was sent and what came of it. */
export class Tally {
  frames = 0;
  /** Sockets that were neither answered nor closed. */
  hung = 0;
  readonly #sent: Record<Door, Count> = perDoor();
  readonly #closed: Record<Door, Count> = perDoor();
  readonly #answers: Record<Door, number> = { sync: 0, collab: 0, events: 0, rest: 0 };

  sent(door: Door, kind: Kind): void {
    this.frames++;
    add(this.#sent[door], kind);
  }

  /** The close code of a socket, or the status of an answer; 0 for a connection that broke. */
  closed(door: Door, code: number): void {
    add(this.#closed[door], String(code));
  }

  answered(door: Door): void {
    this.#answers[door]++;
  }

  stuck(_door: Door): void {
    this.hung++;
  }

  /** Rows of a table: door, frames by kind, answers, how sockets ended. */
  rows(): { door: Door; frames: string; answers: number; ends: string }[] {
    return DOORS.map((door) => ({
      door,
      frames: inWords(this.#sent[door]),
      answers: this.#answers[door],
      ends: inWords(this.#closed[door]),
    }));
  }
}

function perDoor(): Record<Door, Count> {
  return { sync: new Map(), collab: new Map(), events: new Map(), rest: new Map() };
}

const add = (count: Count, key: string): void => void count.set(key, (count.get(key) ?? 0) + 1);

const inWords = (count: Count): string =>
  [...count]
    .sort(([, a], [, b]) => b - a)
    .map(([key, n]) => `${key} ${n.toLocaleString('en')}`)
    .join(', ');
