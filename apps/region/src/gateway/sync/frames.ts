import { CausewayError, type Cell } from '@causeway/protocol';
import * as decoding from 'lib0/decoding';
import * as encoding from 'lib0/encoding';

/**
 * The frames of the y-websocket protocol (y-protocols PROTOCOL.md), and one of our own: a client
 * that opened a segment with `?cells=1` gets cells as JSON under message type 100.
 */
const SYNC = 0;
const AWARENESS = 1;
const QUERY_AWARENESS = 3;
const CELLS = 100;

const STEP_1 = 0;
const STEP_2 = 1;
const UPDATE = 2;

export type Frame =
  | { kind: 'step1'; stateVector: Uint8Array }
  | { kind: 'update'; bytes: Uint8Array }
  | { kind: 'awareness'; payload: Uint8Array }
  | { kind: 'query-awareness' };

/** Reads a client's frame; throws `malformed-frame`, whatever the bytes are. */
export function readFrame(frame: Uint8Array): Frame {
  try {
    const from = decoding.createDecoder(frame);
    const type = decoding.readVarUint(from);
    if (type === QUERY_AWARENESS) return { kind: 'query-awareness' };
    if (type === AWARENESS) return { kind: 'awareness', payload: decoding.readVarUint8Array(from) };
    if (type === SYNC) {
      const step = decoding.readVarUint(from);
      if (step === STEP_1) return { kind: 'step1', stateVector: decoding.readVarUint8Array(from) };
      if (step === STEP_2 || step === UPDATE)
        return { kind: 'update', bytes: decoding.readVarUint8Array(from) };
    }
  } catch {
    // Falls through: whatever it was, it is no frame.
  }
  throw new CausewayError('malformed-frame', 'this is no frame of the y-websocket protocol');
}

const frame =
  (...types: number[]) =>
  (payload: Uint8Array): Uint8Array => {
    const to = encoding.createEncoder();
    for (const type of types) encoding.writeVarUint(to, type);
    encoding.writeVarUint8Array(to, payload);
    return encoding.toUint8Array(to);
  };

/** The same payload is framed once, however many sockets it goes to. */
const once = (make: (payload: Uint8Array) => Uint8Array): ((payload: Uint8Array) => Uint8Array) => {
  const framed = new WeakMap<Uint8Array, Uint8Array>();
  return (payload) => {
    let made = framed.get(payload);
    if (made === undefined) framed.set(payload, (made = make(payload)));
    return made;
  };
};

export const step1Frame = frame(SYNC, STEP_1);
export const step2Frame = frame(SYNC, STEP_2);
export const awarenessFrame = once(frame(AWARENESS));
export const updateFrame = once(frame(SYNC, UPDATE));

export function cellsFrame(cells: readonly Cell[]): Uint8Array {
  const to = encoding.createEncoder();
  encoding.writeVarUint(to, CELLS);
  encoding.writeVarString(to, JSON.stringify(cells));
  return encoding.toUint8Array(to);
}
