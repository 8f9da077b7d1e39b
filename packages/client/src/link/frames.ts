import * as decoding from 'lib0/decoding';
import * as encoding from 'lib0/encoding';

/**
 * The Hocuspocus protocol as far as a client speaks it: a frame is the name of a document, a type
 * and what that type holds. Source: @hocuspocus/provider 4.7.0, `types.ts` and `OutgoingMessages`.
 */
export const FRAME = {
  sync: 0,
  awareness: 1,
  auth: 2,
  queryAwareness: 3,
  stateless: 5,
  close: 7,
  syncStatus: 8,
  /** Of one byte, without a name. */
  ping: 9,
  pong: 10,
  /** A region's own: holds a frame from its type on, deflated (RFC 1951). */
  deflated: 100,
} as const;

/** What an `auth` frame is. */
export const AUTH = { token: 0, denied: 1, granted: 2 } as const;
/** How much is granted. */
export const SCOPE = { write: 'read-write', read: 'readonly' } as const;
/** What a `sync` frame is (y-protocols). */
export const SYNC = { step1: 0, step2: 1, update: 2 } as const;

/** The provider whose protocol this is; servers may ask for its major version. */
const SPOKEN_VERSION = '4.7.0';
/** Said after the version: regions may send us what is large deflated. */
const DEFLATE = 'deflate';

export function frame(
  name: string,
  type: number,
  write: (to: encoding.Encoder) => void = () => undefined,
): Uint8Array<ArrayBuffer> {
  const to = encoding.createEncoder();
  encoding.writeVarString(to, name);
  encoding.writeVarUint(to, type);
  write(to);
  return encoding.toUint8Array(to) as Uint8Array<ArrayBuffer>;
}

export const signIn = (name: string, token: string): Uint8Array<ArrayBuffer> =>
  frame(name, FRAME.auth, (to) => {
    encoding.writeVarUint(to, AUTH.token);
    encoding.writeVarString(to, token);
    encoding.writeVarString(to, SPOKEN_VERSION);
    encoding.writeVarString(to, DEFLATE);
  });

/** A frame taken apart; `from` stands at what its type holds. Throws for what is no frame. */
export type Heard = { name: string; type: number; from: decoding.Decoder };

export function readFrame(data: Uint8Array): Heard {
  const from = decoding.createDecoder(data);
  return { name: decoding.readVarString(from), type: decoding.readVarUint(from), from };
}

export const isPing = (data: Uint8Array): boolean => data.length === 1 && data[0] === FRAME.ping;
export const PONG = new Uint8Array([FRAME.pong]);

/** What a `deflated` frame holds; rejects when that is nothing deflated. */
export async function inflate({ name, from }: Heard): Promise<Heard> {
  const deflated = decoding.readVarUint8Array(from) as Uint8Array<ArrayBuffer>;
  const content = new Blob([deflated]).stream().pipeThrough(new DecompressionStream('deflate-raw'));
  const inner = decoding.createDecoder(new Uint8Array(await new Response(content).arrayBuffer()));
  return { name, type: decoding.readVarUint(inner), from: inner };
}
