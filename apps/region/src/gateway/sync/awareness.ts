import * as decoding from 'lib0/decoding';
import * as encoding from 'lib0/encoding';

/** Bytes of one awareness message: a cursor and a name. */
const MESSAGE_BYTES = 16 * 1024;
/** What one socket may announce: clients, and characters of their states together. */
const PER_SOCKET = { clients: 16, chars: 16 * 1024 } as const;
/** Characters of all states of a room, which everybody who joins is sent; beyond it nobody new is shown. */
const ROOM_CHARS = 1024 * 1024;
/** Clients that left, of whom a room remembers the clock; the ones who left first are forgotten first. */
const DEPARTED = 1_000;
/** Clocks count renewals. One near 2^53 would make the decoders of the others throw when we add to it. */
const CLOCKS = 2 ** 40;

type State = { clock: number; state: string; owner: AwarenessPeer };

/** One socket, as the others of its document see it. */
export type AwarenessPeer = { readonly member: string; send(payload: Uint8Array): void };

/** The rooms that somebody is in, by document. */
export class AwarenessRooms {
  readonly #rooms = new Map<string, AwarenessRoom>();

  get size(): number {
    return this.#rooms.size;
  }

  join(document: string, peer: AwarenessPeer): AwarenessRoom {
    const room = this.#rooms.get(document) ?? new AwarenessRoom();
    this.#rooms.set(document, room);
    room.join(peer);
    return room;
  }

  leave(document: string, peer: AwarenessPeer): void {
    const room = this.#rooms.get(document);
    room?.leave(peer);
    if (room?.empty === true) this.#rooms.delete(document);
  }
}

/**
 * Who is in a canvas, among the sockets of this process (y-protocols awareness). A socket speaks
 * for the clients that it announced first and for nobody else: the stock provider also repeats
 * what it heard of others, and its repeats must not keep ghosts alive or remove the living.
 */
export class AwarenessRoom {
  readonly #states = new Map<number, State>();
  readonly #departed = new Map<number, number>();
  readonly #peers = new Set<AwarenessPeer>();
  #chars = 0;

  get empty(): boolean {
    return this.#peers.size === 0;
  }

  join(peer: AwarenessPeer): void {
    this.#peers.add(peer);
    if (this.#states.size > 0) peer.send(encode([...this.#states]));
  }

  /** Who is here, and who was: for somebody who missed what changed. */
  everybody(): Uint8Array {
    const gone = [...this.#departed].map(([client, clock]) => [client, { clock, state: GONE }] as const);
    return encode([...gone, ...this.#states]);
  }

  /** Takes a socket's announcement; false when it is malformed or too large. */
  announce(peer: AwarenessPeer, payload: Uint8Array): boolean {
    const changes = payload.length > MESSAGE_BYTES ? undefined : decode(payload);
    if (changes === undefined) return false;
    const accepted = changes.filter(([client, change]) => this.#accept(peer, client, change));
    if (accepted.length > 0) this.#tell(encode(accepted), peer);
    return true;
  }

  /** The socket is gone: so is everybody that it spoke for. */
  leave(peer: AwarenessPeer): void {
    this.#peers.delete(peer);
    const gone = [...this.#states].filter(([, { owner }]) => owner === peer);
    const removed = gone.map(([client, { clock }]): [number, Change] => [
      client,
      { clock: clock + 1, state: GONE },
    ]);
    for (const [client, { clock }] of removed) this.#remove(client, clock);
    if (removed.length > 0) this.#tell(encode(removed), peer);
  }

  #accept(peer: AwarenessPeer, client: number, change: Change): boolean {
    const held = this.#states.get(client);
    if (held === undefined) return this.#isNew(peer, client, change);
    const { clock, state } = change;
    // A newer clock than its own socket gave is no repeat: the client came back before its old socket died.
    const cameBack = clock > held.clock && peer.member === held.owner.member && state !== GONE;
    if (held.owner !== peer ? !cameBack : clock < held.clock) return false;
    if (state !== GONE) return this.#set(peer, client, change);
    this.#remove(client, clock);
    return true;
  }

  #isNew(peer: AwarenessPeer, client: number, change: Change): boolean {
    const { clock, state } = change;
    if (state === GONE) return false;
    const left = this.#departed.get(client);
    if (left !== undefined && clock <= left) {
      // A repeat of somebody who left, or somebody who came back with a clock that the others no longer
      // believe. Told that it is gone, the client itself raises its clock at once, others forget it.
      peer.send(encode([[client, { clock: left, state: GONE }]]));
      return false;
    }
    return this.#set(peer, client, change);
  }

  /** False when the socket or the room may hold no more; then what was held stays. */
  #set(peer: AwarenessPeer, client: number, { clock, state }: Change): boolean {
    const before = this.#states.get(client);
    const own = [...this.#states].filter(([other, { owner }]) => owner === peer && other !== client);
    const ownChars = own.reduce((sum, [, { state }]) => sum + state.length, state.length);
    const chars = this.#chars - (before?.state.length ?? 0) + state.length;
    if (own.length >= PER_SOCKET.clients || ownChars > PER_SOCKET.chars || chars > ROOM_CHARS) return false;
    this.#chars = chars;
    this.#states.set(client, { clock, state, owner: peer });
    this.#departed.delete(client);
    return true;
  }

  #remove(client: number, clock: number): void {
    this.#chars -= this.#states.get(client)?.state.length ?? 0;
    this.#states.delete(client);
    this.#departed.delete(client);
    this.#departed.set(client, clock);
    if (this.#departed.size > DEPARTED) this.#departed.delete(this.#departed.keys().next().value!);
  }

  #tell(payload: Uint8Array, except: AwarenessPeer): void {
    for (const peer of this.#peers) if (peer !== except) peer.send(payload);
  }
}

type Change = { clock: number; state: string };
const GONE = 'null';

/** y-protocols' form: count, then client, clock and JSON text of each. `undefined` when it is not that. */
function decode(payload: Uint8Array): [number, Change][] | undefined {
  try {
    const from = decoding.createDecoder(payload);
    const changes: [number, Change][] = [];
    for (let left = decoding.readVarUint(from); left > 0; left--) {
      const client = decoding.readVarUint(from);
      const clock = decoding.readVarUint(from);
      if (clock > CLOCKS) return undefined;
      const state: unknown = JSON.parse(decoding.readVarString(from));
      if (typeof state !== 'object') return undefined;
      changes.push([client, { clock, state: JSON.stringify(state) }]);
    }
    return changes;
  } catch {
    return undefined;
  }
}

function encode(changes: readonly (readonly [number, Change])[]): Uint8Array {
  const to = encoding.createEncoder();
  encoding.writeVarUint(to, changes.length);
  for (const [client, { clock, state }] of changes) {
    encoding.writeVarUint(to, client);
    encoding.writeVarUint(to, clock);
    encoding.writeVarString(to, state);
  }
  return encoding.toUint8Array(to);
}

/** Says nothing about nobody: what a quiet document's sockets are sent so that they know we are there. */
export const NOBODY = encode([]);
