import * as decoding from 'lib0/decoding';
import * as encoding from 'lib0/encoding';

/** Bytes of one awareness message: a cursor and a name. */
const MESSAGE_BYTES = 16 * 1024;
/** Awareness clients that one socket may announce. */
const CLIENTS_PER_SOCKET = 16;

type State = { clock: number; state: string; owner: AwarenessPeer };

/** One socket, as the others of its document see it. */
export type AwarenessPeer = { send(payload: Uint8Array): void };

/**
 * Who is in a canvas, among the sockets of this process (y-protocols awareness). A socket speaks
 * for the clients that it announced first and for nobody else: the stock provider also repeats
 * what it heard of others, and its repeats must not keep ghosts alive or remove the living.
 */
export class AwarenessRoom {
  readonly #states = new Map<number, State>();
  readonly #peers = new Set<AwarenessPeer>();

  get empty(): boolean {
    return this.#peers.size === 0;
  }

  join(peer: AwarenessPeer): void {
    this.#peers.add(peer);
    if (this.#states.size > 0) peer.send(encode([...this.#states]));
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
    const gone = [...this.#states].filter(([, state]) => state.owner === peer);
    for (const [client] of gone) this.#states.delete(client);
    const removed = gone.map(([client, { clock }]): [number, Change] => [
      client,
      { clock: clock + 1, state: 'null' },
    ]);
    if (removed.length > 0) this.#tell(encode(removed), peer);
  }

  #accept(peer: AwarenessPeer, client: number, { clock, state }: Change): boolean {
    const held = this.#states.get(client);
    if (held !== undefined && (held.owner !== peer || clock < held.clock)) return false;
    if (held === undefined) {
      if (state === 'null') return false;
      const own = [...this.#states.values()].filter(({ owner }) => owner === peer).length;
      if (own >= CLIENTS_PER_SOCKET) return false;
    }
    if (state === 'null') this.#states.delete(client);
    else this.#states.set(client, { clock, state, owner: peer });
    return true;
  }

  #tell(payload: Uint8Array, except: AwarenessPeer): void {
    for (const peer of this.#peers) if (peer !== except) peer.send(payload);
  }
}

type Change = { clock: number; state: string };

/** y-protocols' form: count, then client, clock and JSON text of each. `undefined` when it is not that. */
function decode(payload: Uint8Array): [number, Change][] | undefined {
  try {
    const from = decoding.createDecoder(payload);
    const changes: [number, Change][] = [];
    for (let left = decoding.readVarUint(from); left > 0; left--) {
      const client = decoding.readVarUint(from);
      const clock = decoding.readVarUint(from);
      const state = decoding.readVarString(from);
      JSON.parse(state);
      changes.push([client, { clock, state }]);
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
