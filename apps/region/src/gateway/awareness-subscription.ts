import type { Outgoing, Source } from './outgoing.ts';
import type { AwarenessPeer, AwarenessRoom, AwarenessRooms } from './awareness.ts';

export type AwarenessParts = {
  rooms: AwarenessRooms;
  document: string;
  member: string;
  outgoing: Outgoing;
  /** How the door sends what is known of others; made once for all who get it. */
  message(payload: Uint8Array): Uint8Array;
};

/** Who is in a document, on one socket. A slow reader is told of everybody again instead of every change. */
export class AwarenessSubscription implements AwarenessPeer, Source {
  readonly member: string;
  readonly #parts: AwarenessParts;
  readonly #room: AwarenessRoom;

  constructor(parts: AwarenessParts) {
    this.#parts = parts;
    this.member = parts.member;
    this.#room = parts.rooms.join(parts.document, this);
  }

  /** What the client says of itself; false when it is malformed or too large. */
  announce(payload: Uint8Array): boolean {
    return this.#room.announce(this, payload);
  }

  send(payload: Uint8Array): void {
    this.#parts.outgoing.update(this, payload, this.#parts.message(payload));
  }

  lost(): void {
    // Nothing to remember: the room knows who is there.
  }

  async catchUp(write: (data: Uint8Array) => void): Promise<boolean> {
    write(this.#parts.message(this.#room.everybody()));
    return true;
  }

  close(): void {
    this.#parts.rooms.leave(this.#parts.document, this);
    this.#parts.outgoing.forget(this);
  }
}
