import { isId } from '@causeway/protocol';
import * as decoding from 'lib0/decoding';
import * as encoding from 'lib0/encoding';

/** What is said of a client: JSON text, `null` when it is gone. */
export type Change = { clock: number; state: string };
/** What a process says of a client of its sockets, and for whom it speaks. */
export type Told = Change & { member: string };

export const GONE = 'null';
/** Clocks count renewals. One near 2^53 would make the decoders of the others throw when we add to it. */
const CLOCKS = 2 ** 40;

/** y-protocols' form: count, then client, clock and JSON text of each. */
export function encodeChanges(changes: readonly (readonly [number, Change])[]): Uint8Array {
  const to = encoding.createEncoder();
  encoding.writeVarUint(to, changes.length);
  for (const [client, { clock, state }] of changes) {
    encoding.writeVarUint(to, client);
    encoding.writeVarUint(to, clock);
    encoding.writeVarString(to, state);
  }
  return encoding.toUint8Array(to);
}

/** `undefined` when it is not that form. */
export const decodeChanges = (payload: Uint8Array): [number, Change][] | undefined =>
  decode(payload, (from) => [decoding.readVarUint(from), readChange(from)]);

/** Between processes: as above, with the member before the text. */
export function encodePart(part: readonly (readonly [number, Told])[]): Uint8Array {
  const to = encoding.createEncoder();
  encoding.writeVarUint(to, part.length);
  for (const [client, { member, clock, state }] of part) {
    encoding.writeVarUint(to, client);
    encoding.writeVarString(to, member);
    encoding.writeVarUint(to, clock);
    encoding.writeVarString(to, state);
  }
  return encoding.toUint8Array(to);
}

export const decodePart = (payload: Uint8Array): [number, Told][] | undefined =>
  decode(payload, (from) => {
    const client = decoding.readVarUint(from);
    const member = decoding.readVarString(from);
    if (!isId(member)) throw new RangeError('no member');
    return [client, { member, ...readChange(from) }];
  });

function readChange(from: decoding.Decoder): Change {
  const clock = decoding.readVarUint(from);
  if (clock > CLOCKS) throw new RangeError('no clock');
  const state: unknown = JSON.parse(decoding.readVarString(from));
  if (typeof state !== 'object') throw new RangeError('no state');
  return { clock, state: JSON.stringify(state) };
}

function decode<T>(payload: Uint8Array, read: (from: decoding.Decoder) => T): T[] | undefined {
  try {
    const from = decoding.createDecoder(payload);
    const all: T[] = [];
    for (let left = decoding.readVarUint(from); left > 0; left--) all.push(read(from));
    return all;
  } catch {
    return undefined;
  }
}
