import { Awareness, applyAwarenessUpdate, encodeAwarenessUpdate } from 'y-protocols/awareness';
import * as Y from 'yjs';
import type { AwarenessPeer, AwarenessRoom, AwarenessRooms } from './awareness.ts';

/** For tests, a stock provider without its socket: it announces itself, and repeats every change that it hears of, as y-websocket does. */
export class Provider implements AwarenessPeer {
  readonly member: string;
  readonly awareness: Awareness;
  #rooms: AwarenessRooms;
  #room: AwarenessRoom | undefined;

  /** With `again`, another socket of the same client. */
  constructor(rooms: AwarenessRooms, member: string, again?: Provider) {
    this.#rooms = rooms;
    this.member = member;
    this.awareness = again?.awareness ?? new Awareness(new Y.Doc());
    if (again === undefined) this.awareness.setLocalState({ name: member });
    this.awareness.on('update', ({ added, updated, removed }: Record<string, number[]>) =>
      this.announce([...added!, ...updated!, ...removed!]),
    );
  }

  get id(): number {
    return this.awareness.clientID;
  }

  get sees(): string[] {
    return [...this.awareness.getStates().values()].map(({ name }) => name as string).sort();
  }

  /** Moves the cursor. */
  move(name: string): void {
    this.awareness.setLocalState({ name });
  }

  connect(rooms = this.#rooms): this {
    this.#rooms = rooms;
    this.#room = rooms.join('acme/canvas/plan', this);
    this.announce([this.id]);
    return this;
  }

  disconnect(): void {
    if (this.#room !== undefined) this.#rooms.leave('acme/canvas/plan', this);
    this.#room = undefined;
  }

  /** Our own state and what we heard of others, as we hold it. */
  announce(clients: number[]): void {
    this.#room?.announce(this, encodeAwarenessUpdate(this.awareness, clients));
  }

  /** Sends bytes as they are; whether they were taken for an awareness message. */
  raw(payload: Uint8Array): boolean {
    return this.#room!.announce(this, payload);
  }

  send(payload: Uint8Array): void {
    applyAwarenessUpdate(this.awareness, payload, 'server');
  }
}
