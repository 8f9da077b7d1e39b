import * as encoding from 'lib0/encoding';
import type { SeededRandom } from '../sim/seeded-random.ts';
import { bent, bomb, noise, oversized, realUpdates } from './hostile-bytes.ts';
import { requestText } from './requests.ts';

export const DOORS = ['sync', 'collab', 'events', 'rest'] as const;
export type Door = (typeof DOORS)[number];
/** What is wrong with a frame. */
export type Kind = 'noise' | 'bent' | 'bomb' | 'oversized' | 'out-of-state' | 'wrong-type';
export type Frame = { kind: Kind; data: Uint8Array | string };

/** Names of documents that are in the way of an attacker: their own, somebody else's, and none. */
export type Targets = { own: string; foreign: string[]; token: string };

const KINDS: readonly Kind[] = [
  ...(Array.from({ length: 10 }, () => 'bent') as Kind[]),
  ...(Array.from({ length: 12 }, () => 'out-of-state') as Kind[]),
  'noise',
  'noise',
  'bomb',
  'wrong-type',
];

/** Makes frames that no honest client sends, the same ones from the same seed. */
export class Frames {
  readonly #random: SeededRandom;
  readonly #targets: Targets;
  readonly #updates: Uint8Array[];
  readonly #vectors: Uint8Array[];

  constructor(random: SeededRandom, targets: Targets) {
    this.#random = random;
    this.#targets = targets;
    const { updates, vectors } = realUpdates(random);
    this.#updates = updates;
    this.#vectors = vectors;
  }

  next(door: Exclude<Door, 'rest'>): Frame {
    const random = this.#random;
    // Megabytes each: enough of them to meet every bound, few enough to be sent.
    const kind = random.below(4_000) === 0 ? 'oversized' : random.pick(KINDS);
    if (kind === 'oversized') return { kind, data: oversized(random) };
    return { kind, data: door === 'events' ? this.#text(kind) : this.#bytes(kind, door) };
  }

  /** What a provider says first on `/v1/collab`, as it should. */
  signIn(): Uint8Array {
    const to = encoding.createEncoder();
    encoding.writeVarString(to, this.#random.chance(70) ? this.#targets.own : 'demo/session');
    encoding.writeVarUint(to, 2);
    encoding.writeVarUint(to, 0);
    encoding.writeVarString(to, this.#targets.token);
    encoding.writeVarString(to, '4.7.0');
    return encoding.toUint8Array(to);
  }

  #text(kind: Kind): Uint8Array | string {
    const random = this.#random;
    const text = requestText(random, this.#targets);
    switch (kind) {
      case 'wrong-type':
        return new TextEncoder().encode(text);
      case 'bent':
        return Buffer.from(bent(random, new TextEncoder().encode(text))).toString();
      case 'bomb':
        return '['.repeat(1 + random.below(20_000));
      case 'noise':
        return Buffer.from(noise(random)).toString('latin1');
      default:
        return text;
    }
  }

  #bytes(kind: Kind, door: 'sync' | 'collab'): Uint8Array | string {
    const random = this.#random;
    switch (kind) {
      case 'wrong-type':
        return requestText(random, this.#targets);
      case 'noise':
        return noise(random);
      case 'bomb':
        return door === 'sync'
          ? bomb(random, random.pick([[0, 0], [0, 1], [0, 2], [1], [100]]))
          : bomb(random, [random.below(20), random.below(9)]);
      case 'bent':
        // The frame itself, or what stands in a frame that is whole.
        return random.chance(50) ? bent(random, this.#whole(door)) : this.#whole(door, true);
      default:
        return this.#whole(door);
    }
  }

  /** A frame of the right form, at a time or in a place where it is wrong more often than not. */
  #whole(door: 'sync' | 'collab', isBent = false): Uint8Array {
    const random = this.#random;
    const within = (payload: Uint8Array): Uint8Array => (isBent ? bent(random, payload) : payload);
    const to = encoding.createEncoder();
    if (door === 'collab') encoding.writeVarString(to, this.#name());
    const type = random.pick(
      door === 'sync' ? [0, 0, 0, 1, 3, 2, 100, 7] : [0, 0, 0, 1, 2, 2, 3, 4, 5, 5, 5, 6, 7, 8],
    );
    encoding.writeVarUint(to, type);
    if (type === 0) {
      const step = random.below(4);
      encoding.writeVarUint(to, step);
      encoding.writeVarUint8Array(to, within(random.pick(step === 0 ? this.#vectors : this.#updates)));
    } else if (type === 1) encoding.writeVarUint8Array(to, within(this.#awareness()));
    else if (type === 2) {
      encoding.writeVarUint(to, random.pick([0, 0, 0, 1, 2, 9]));
      encoding.writeVarString(to, random.chance(50) ? this.#targets.token : `${noise(random)}`);
    } else if (type === 5) encoding.writeVarString(to, requestText(random, this.#targets));
    return encoding.toUint8Array(to);
  }

  #name(): string {
    const random = this.#random;
    const { own, foreign } = this.#targets;
    if (random.chance(60)) return own;
    return random.chance(80) ? random.pick(foreign) : Buffer.from(noise(random)).toString('latin1');
  }

  /** Clients that are not ours, clocks from the end of time, states that are none. */
  #awareness(): Uint8Array {
    const random = this.#random;
    const to = encoding.createEncoder();
    const clients = random.below(4);
    encoding.writeVarUint(to, random.chance(90) ? clients : 2 ** 30);
    for (let n = 0; n < clients; n++) {
      encoding.writeVarUint(to, random.below(2 ** 31));
      encoding.writeVarUint(to, random.pick([0, 1, random.below(1_000), 2 ** 32, Number.MAX_SAFE_INTEGER]));
      encoding.writeVarString(
        to,
        random.pick([
          'null',
          '{}',
          '{"user":{"name":"m"}}',
          '[',
          '"',
          `{"x":"${'y'.repeat(random.below(3_000))}"}`,
        ]),
      );
    }
    return encoding.toUint8Array(to);
  }
}
