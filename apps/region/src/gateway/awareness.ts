import type { Share, ShareListener } from '@causeway/replica';
import { decodeChanges, decodePart, encodeChanges, encodePart, GONE, type Told } from './awareness-wire.ts';

/** Bytes of one awareness message: a cursor and a name. */
const MESSAGE_BYTES = 16 * 1024;
/** What one socket may announce: clients, and characters of their states together. */
const PER_SOCKET = { clients: 16, chars: 16 * 1024 } as const;
/** What one process may; what is beyond it is seen by the sockets of that process only. */
const PER_PROCESS = { clients: 2_000, chars: 480 * 1024 } as const;
/** Bytes of one message to other processes, which a bus takes; what a process says whole is one message. */
const PART_BYTES = 480 * 1024;
/** Characters of all states of a room, which everybody who joins is sent; beyond it nobody new is shown. */
const ROOM_CHARS = 1024 * 1024;
/** Clients that left, of whom a room remembers the clock; the ones who left first are forgotten first. */
const DEPARTED = 1_000;

/** One socket, as the others of its document see it. */
export type AwarenessPeer = { readonly member: string; send(payload: Uint8Array): void };

/** Who speaks for a client: a socket, or another process by its key. */
type Owner = AwarenessPeer | string;
type State = Told & { owner: Owner };
/** What an owner holds. */
type Holding = { clients: Set<number>; chars: number };

/** Lets other processes know of a document's clients and hears of theirs; undefined when that cannot be. */
export type ShareOf = (document: string, listener: ShareListener) => Share | undefined;

/** The rooms that somebody is in, by document. One for all doors of a process. */
export class AwarenessRooms {
  readonly #rooms = new Map<string, AwarenessRoom>();
  readonly #shareOf: ShareOf;

  /** Without `shareOf` a room is the sockets of this process. */
  constructor(shareOf: ShareOf = () => undefined) {
    this.#shareOf = shareOf;
  }

  get size(): number {
    return this.#rooms.size;
  }

  join(document: string, peer: AwarenessPeer): AwarenessRoom {
    let room = this.#rooms.get(document);
    if (room === undefined) {
      room = new AwarenessRoom();
      this.#rooms.set(document, room);
      room.reach(this.#shareOf(document, room));
    }
    room.join(peer);
    return room;
  }

  /** To be called every few seconds: passes on that clients are still there. */
  renew(): void {
    for (const room of this.#rooms.values()) room.renew();
  }

  leave(document: string, peer: AwarenessPeer): void {
    const room = this.#rooms.get(document);
    room?.leave(peer);
    if (room?.empty !== true) return;
    this.#rooms.delete(document);
    room.close();
  }
}

/**
 * Who is in a canvas, in all processes of the zone (y-protocols awareness). A socket speaks for the
 * clients that it announced first and for nobody else: the stock provider also repeats what it
 * heard of others, and its repeats must not keep ghosts alive or remove the living. So does another
 * process, for the clients of its sockets, as long as it lives.
 */
export class AwarenessRoom implements ShareListener {
  readonly #states = new Map<number, State>();
  readonly #departed = new Map<number, number>();
  readonly #peers = new Set<AwarenessPeer>();
  readonly #holdings = new Map<Owner, Holding>();
  /** Clients of our sockets that other processes are not told of yet. */
  readonly #untold = new Set<number>();
  /** Clients of our sockets that only said that they are still there. */
  readonly #renewed = new Set<number>();
  /** Clients that were told to raise their clock: somebody waits for that. */
  readonly #raising = new Set<number>();
  #chars = 0;
  #share: Share | undefined;

  get empty(): boolean {
    return this.#peers.size === 0;
  }

  /** The way to other processes, if there is one. */
  reach(share: Share | undefined): void {
    this.#share = share;
  }

  close(): void {
    this.#share?.close();
  }

  join(peer: AwarenessPeer): void {
    this.#peers.add(peer);
    if (this.#states.size > 0) peer.send(encodeChanges([...this.#states]));
  }

  /** Who is here, and who was: for somebody who missed what changed. */
  everybody(): Uint8Array {
    const gone = [...this.#departed].map(([client, clock]) => [client, { clock, state: GONE }] as const);
    return encodeChanges([...gone, ...this.#states]);
  }

  /** Takes a socket's announcement; false when it is malformed or too large. */
  announce(peer: AwarenessPeer, payload: Uint8Array): boolean {
    const changes = payload.length > MESSAGE_BYTES ? undefined : decodeChanges(payload);
    if (changes === undefined) return false;
    const { member } = peer;
    this.#take(
      peer,
      changes.map(([client, change]) => [client, { member, ...change }]),
    );
    return true;
  }

  /** The socket is gone: so is everybody that it spoke for. */
  leave(peer: AwarenessPeer): void {
    this.#peers.delete(peer);
    this.#forget(peer, 1);
  }

  /**
   * A client says every 15 s that it is still there, and others give it up after 30. A thousand
   * of them, each told to each at once, would take a core (PAINS 14): they are told together.
   */
  renew(): void {
    const renewed = [...this.#renewed].flatMap((client): [number, State][] => {
      const held = this.#states.get(client);
      return held === undefined || !isLocal(held) ? [] : [[client, held]];
    });
    this.#renewed.clear();
    this.#tell(renewed);
  }

  heard(process: string, payload: Uint8Array, isWhole: boolean): void {
    const said = payload.length === 0 ? [] : decodePart(payload);
    if (said === undefined) return;
    if (isWhole) {
      const named = new Set(said.map(([client]) => client));
      const gone = [...(this.#holdings.get(process)?.clients ?? [])].filter((client) => !named.has(client));
      said.push(
        ...gone.map((client) => [client, { ...this.#states.get(client)!, state: GONE }] as [number, Told]),
      );
    }
    this.#take(process, said);
  }

  gone(process: string): void {
    // With the same clock, so that a process that was only cut off need not raise it to be seen again.
    this.#forget(process, 0);
  }

  changes(): Uint8Array | undefined {
    const changes = [...this.#untold].flatMap((client): [number, Told][] => {
      const held = this.#states.get(client);
      if (held !== undefined) return isLocal(held) ? [[client, held]] : [];
      const clock = this.#departed.get(client);
      return clock === undefined ? [] : [[client, { member: NOBODY_ELSE, clock, state: GONE }]];
    });
    this.#untold.clear();
    const now = fitting(changes);
    for (const [client] of changes.slice(now.length)) this.#untold.add(client);
    if (this.#untold.size > 0) this.#share?.changed();
    return now.length === 0 ? undefined : encodePart(now);
  }

  whole(): Uint8Array {
    this.#untold.clear();
    const ours = fitting([...this.#states].filter(([, state]) => isLocal(state)));
    return ours.length === 0 ? new Uint8Array() : encodePart(ours);
  }

  /** Another process holds a client for gone with a clock that ours has not passed: only the client can raise it. */
  word(payload: Uint8Array): void {
    for (const [client, { clock }] of decodeChanges(payload) ?? []) {
      const held = this.#states.get(client);
      if (held === undefined || typeof held.owner === 'string' || clock < held.clock) continue;
      this.#raising.add(client);
      held.owner.send(encodeChanges([[client, { clock, state: GONE }]]));
    }
  }

  /** Tells the sockets what is new of what an owner says. */
  #take(owner: Owner, changes: readonly [number, Told][]): void {
    const accepted = changes.filter(([client, change]) => {
      const before = this.#states.get(client);
      const isRaised = this.#raising.has(client);
      if (!this.#accept(owner, client, change)) return false;
      const isRenewal = before?.owner === owner && before.state === change.state && !isRaised;
      if (isRenewal && typeof owner !== 'string') this.#renewed.add(client);
      return !isRenewal || typeof owner === 'string';
    });
    this.#tell(accepted, owner);
  }

  #accept(owner: Owner, client: number, change: Told): boolean {
    const held = this.#states.get(client);
    if (held === undefined) return this.#isNew(owner, client, change);
    const { clock, state } = change;
    // A newer clock than its own socket gave is no repeat: the client came back before its old socket died.
    const cameBack = clock > held.clock && change.member === held.member && state !== GONE;
    if (held.owner !== owner ? !cameBack : clock < held.clock) return false;
    if (state !== GONE) return this.#set(owner, client, change);
    this.#remove(client, clock);
    return true;
  }

  #isNew(owner: Owner, client: number, change: Told): boolean {
    const { clock, state } = change;
    if (state === GONE) return false;
    const left = this.#departed.get(client);
    if (left !== undefined && clock <= left) {
      // A repeat of somebody who left, or somebody who came back with a clock that the others no longer
      // believe. Told that it is gone, the client itself raises its clock at once, others forget it.
      const raise = encodeChanges([[client, { clock: left, state: GONE }]]);
      if (typeof owner === 'string') this.#share?.tell(owner, raise);
      else owner.send(raise);
      return false;
    }
    return this.#set(owner, client, change);
  }

  /** False when the owner or the room may hold no more; then what was held stays. */
  #set(owner: Owner, client: number, told: Told): boolean {
    const before = this.#states.get(client);
    const own = this.#holdings.get(owner) ?? { clients: new Set<number>(), chars: 0 };
    const isOurs = before?.owner === owner;
    const limit = typeof owner === 'string' ? PER_PROCESS : PER_SOCKET;
    const ownChars = own.chars + told.state.length - (isOurs ? before.state.length : 0);
    const chars = this.#chars - (before?.state.length ?? 0) + told.state.length;
    const isOneMore = !isOurs && own.clients.size >= limit.clients;
    if (isOneMore || ownChars > limit.chars || chars > ROOM_CHARS) return false;
    if (before !== undefined) this.#drop(client, before);
    const holding = this.#holdings.get(owner) ?? own;
    this.#holdings.set(owner, holding);
    holding.clients.add(client);
    holding.chars += told.state.length;
    this.#chars += told.state.length;
    this.#states.set(client, { ...told, owner });
    this.#departed.delete(client);
    return true;
  }

  #remove(client: number, clock: number): void {
    this.#drop(client, this.#states.get(client)!);
    this.#departed.delete(client);
    this.#departed.set(client, clock);
    if (this.#departed.size > DEPARTED) this.#departed.delete(this.#departed.keys().next().value!);
  }

  #drop(client: number, { owner, state }: State): void {
    this.#states.delete(client);
    this.#raising.delete(client);
    this.#chars -= state.length;
    const holding = this.#holdings.get(owner)!;
    holding.clients.delete(client);
    holding.chars -= state.length;
    if (holding.clients.size === 0) this.#holdings.delete(owner);
  }

  #forget(owner: Owner, raiseBy: number): void {
    const gone = [...(this.#holdings.get(owner)?.clients ?? [])].map((client): [number, Told] => {
      const { member, clock } = this.#states.get(client)!;
      return [client, { member, clock: clock + raiseBy, state: GONE }];
    });
    for (const [client, { clock }] of gone) this.#remove(client, clock);
    this.#tell(gone, owner);
  }

  /** To the sockets, but not to whom it comes from, and what is ours to other processes. */
  #tell(changes: readonly [number, Told][], except?: Owner): void {
    if (changes.length === 0) return;
    const payload = encodeChanges(changes);
    for (const peer of this.#peers) if (peer !== except) peer.send(payload);
    if (typeof except === 'string' || this.#share === undefined) return;
    for (const [client] of changes) this.#untold.add(client);
    this.#share.changed();
  }
}

/** Who is named where a client is gone, and nobody is asked. */
const NOBODY_ELSE = '-';

const isLocal = ({ owner }: State): boolean => typeof owner !== 'string';

/** As many of the first ones as fit into a message. */
function fitting<T extends Told>(all: readonly [number, T][]): [number, T][] {
  let bytes = 0;
  const end = all.findIndex(([, { member, state }]) => {
    // Client, clock and lengths take 30 bytes at most.
    bytes += 30 + member.length + Buffer.byteLength(state);
    return bytes > PART_BYTES;
  });
  return all.slice(0, end === -1 ? all.length : end);
}

/** Says nothing about nobody: what a quiet document's sockets are sent so that they know we are there. */
export const NOBODY = encodeChanges([]);
