import { BusDown } from '@causeway/replica';

/** How questions and answers are cut up: well below the 1 MB that a message may have. */
const PART_BYTES = 256 * 1024;

/**
 * How many parts may be on their way in one exchange: 2 MiB. What the other side has not taken
 * queues at the broker, which closes a connection that is too slow; the stream is read over it too.
 */
const WINDOW = 8;

/** Parts may be smaller than ours, but not so small that counting them takes the memory. */
const MAX_PARTS = 4_096;

/** Which part of how many; as text `3/7`, counted from 0. */
export type PartPlace = { index: number; total: number };

export const formatPlace = ({ index, total }: PartPlace): string => `${index}/${total}`;

/** Undefined when the text is no place. */
export function readPlace(text: string): PartPlace | undefined {
  const match = /^(\d{1,4})\/(\d{1,4})$/.exec(text);
  return match === null ? undefined : { index: Number(match[1]), total: Number(match[2]) };
}

/** Cuts bytes up and hands out as many parts as may be on their way. */
export class OutgoingParts {
  readonly #bytes: Uint8Array;
  readonly #total: number;
  #sent = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#total = Math.max(1, Math.ceil(bytes.length / PART_BYTES));
  }

  /** Whether all parts have been handed out. */
  get done(): boolean {
    return this.#sent === this.#total;
  }

  next(): { place: PartPlace; bytes: Uint8Array } {
    const index = this.#sent++;
    const bytes = this.#bytes.subarray(index * PART_BYTES, (index + 1) * PART_BYTES);
    return { place: { index, total: this.#total }, bytes };
  }

  /** The parts that may be sent when the other side has the first `have` of them. */
  *after(have: number): Generator<{ place: PartPlace; bytes: Uint8Array }> {
    while (!this.done && this.#sent < have + WINDOW) yield this.next();
  }
}

/** Puts parts together in whatever order and however often they come. */
export class IncomingParts {
  readonly #limitBytes: number;
  readonly #parts: (Uint8Array | undefined)[] = [];
  #total: number | undefined;
  #have = 0;
  #bytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** How many are here before the first one that is missing. */
  get have(): number {
    return this.#have;
  }

  get complete(): boolean {
    return this.#have === this.#total;
  }

  /** Rejects with BusDown what cannot be a part of this. */
  add(place: PartPlace | undefined, bytes: Uint8Array): void {
    if (place === undefined || place.total > MAX_PARTS || place.index >= place.total)
      throw new BusDown('a part has no place');
    if (place.total !== (this.#total ??= place.total)) throw new BusDown('parts of two different wholes');
    if (this.#parts[place.index] !== undefined) return;
    this.#bytes += bytes.length;
    if (this.#bytes > this.#limitBytes) throw new BusDown(`parts of more than ${this.#limitBytes} bytes`);
    this.#parts[place.index] = bytes;
    while (this.#parts[this.#have] !== undefined) this.#have++;
  }

  /** All of it, in bytes of its own; call it when complete. */
  join(): Uint8Array {
    const whole = new Uint8Array(this.#bytes);
    let at = 0;
    for (const part of this.#parts) {
      whole.set(part!, at);
      at += part!.length;
    }
    return whole;
  }
}
