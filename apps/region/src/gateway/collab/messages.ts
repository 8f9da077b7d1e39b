import { CausewayError } from '@causeway/protocol';
import * as decoding from 'lib0/decoding';
import * as encoding from 'lib0/encoding';
import { constants, deflateRawSync } from 'node:zlib';

/**
 * The Hocuspocus protocol as `@hocuspocus/provider` 4.7.0 speaks it (its MessageReceiver.ts and
 * OutgoingMessages/): each message is the address of a document, a type, and what that type carries.
 * An address is a document's name as the client writes it, with `\0` and a number of the client's own
 * where several providers open one document. Pings alone have no address: they are one byte.
 */
const SYNC = 0;
const AWARENESS = 1;
const AUTH = 2;
const QUERY_AWARENESS = 3;
const STATELESS = 5;
const CLOSE = 7;
const SYNC_STATUS = 8;
const PING = 9;
const PONG = 10;
/** Ours: a message with this type holds another one, from its type on, deflated (RFC 1951). */
const DEFLATED = 100;
/** What a client says after the provider's version, with its token, that can read it. */
const DEFLATE = 'deflate';

const STEP_1 = 0;
const STEP_2 = 1;
const UPDATE = 2;

const TOKEN = 0;
const PERMISSION_DENIED = 1;
const AUTHENTICATED = 2;

/** Bytes of an address: a document's name and the client's number. */
const ADDRESS_BYTES = 512;

/** Messages from so many bytes on are worth deflating; a smaller one leaves as it is. */
const WORTH_BYTES = 1024;
/** 75 KB of a segment become 34 in 0.6 ms; the default level takes three times as long and saves 2 KB more. */
const LEVEL = constants.Z_BEST_SPEED;

export type Message =
  | { kind: 'pong' }
  | ({ address: string } & (
      | { kind: 'auth'; token: string; inflates: boolean }
      | { kind: 'step1'; stateVector: Uint8Array }
      | { kind: 'update'; bytes: Uint8Array }
      | { kind: 'awareness'; payload: Uint8Array }
      | { kind: 'query-awareness' }
      | { kind: 'stateless'; text: string }
      | { kind: 'close' }
    ));

/** Reads a client's message; throws `malformed-frame`, whatever the bytes are. */
export function readMessage(frame: Uint8Array): Message {
  if (frame.length === 1 && frame[0] === PONG) return { kind: 'pong' };
  try {
    const from = decoding.createDecoder(frame);
    const address = decoding.readVarString(from);
    if (address.length <= ADDRESS_BYTES) {
      const content = readContent(from);
      if (content !== undefined) return { address, ...content };
    }
  } catch {
    // Falls through: whatever it was, it is no message.
  }
  throw new CausewayError('malformed-frame', 'this is no message of the Hocuspocus protocol');
}

type Content =
  Extract<Message, { address: string }> extends infer M
    ? M extends unknown
      ? Omit<M, 'address'>
      : never
    : never;

function readContent(from: decoding.Decoder): Content | undefined {
  switch (decoding.readVarUint(from)) {
    case SYNC: {
      const step = decoding.readVarUint(from);
      if (step === STEP_1) return { kind: 'step1', stateVector: decoding.readVarUint8Array(from) };
      if (step === STEP_2 || step === UPDATE)
        return { kind: 'update', bytes: decoding.readVarUint8Array(from) };
      return undefined;
    }
    case AWARENESS:
      return { kind: 'awareness', payload: decoding.readVarUint8Array(from) };
    case AUTH:
      return decoding.readVarUint(from) === TOKEN
        ? { kind: 'auth', token: decoding.readVarString(from), inflates: saysDeflate(from) }
        : undefined;
    case QUERY_AWARENESS:
      return { kind: 'query-awareness' };
    case STATELESS:
      return { kind: 'stateless', text: decoding.readVarString(from) };
    case CLOSE:
      return { kind: 'close' };
    default:
      return undefined;
  }
}

const deflate = (content: Uint8Array): Uint8Array => deflateRawSync(content, { level: LEVEL });

/** The provider's version decides nothing here; stock providers say nothing after it. */
function saysDeflate(from: decoding.Decoder): boolean {
  if (decoding.hasContent(from)) decoding.readVarString(from);
  return decoding.hasContent(from) && decoding.readVarString(from) === DEFLATE;
}

/** Asks a provider for a sign of life, and is one to it: it reconnects after 30 s without a message. */
export const PING_MESSAGE = Uint8Array.of(PING);

/** What is sent to one address. The same update or cursor is put into a message once for all sockets with that address. */
export class Messages {
  readonly #address: string;
  readonly update: (bytes: Uint8Array) => Uint8Array;
  readonly awareness: (payload: Uint8Array) => Uint8Array;

  constructor(address: string) {
    this.#address = address;
    this.update = (bytes) => this.#once(updates, bytes, [SYNC, UPDATE]);
    this.awareness = (payload) => this.#once(awarenesses, payload, [AWARENESS]);
  }

  /** The same message for a client that can inflate it, when that is worth it. */
  deflated(message: Uint8Array): Uint8Array {
    if (message.length < WORTH_BYTES) return message;
    const address = encoding.createEncoder();
    encoding.writeVarString(address, this.#address);
    return this.#bytes([DEFLATED], deflate(message.subarray(encoding.length(address))));
  }

  step1(stateVector: Uint8Array): Uint8Array {
    return this.#bytes([SYNC, STEP_1], stateVector);
  }

  step2(update: Uint8Array): Uint8Array {
    return this.#bytes([SYNC, STEP_2], update);
  }

  /** The same for a client that can inflate it; one update is deflated once for all of them. */
  deflatedStep2(update: Uint8Array): Uint8Array {
    if (update.length < WORTH_BYTES) return this.step2(update);
    let deflated = deflatedSteps.get(update);
    if (deflated === undefined) {
      const to = encoding.createEncoder();
      for (const type of [SYNC, STEP_2]) encoding.writeVarUint(to, type);
      encoding.writeVarUint8Array(to, update);
      deflatedSteps.set(update, (deflated = deflate(encoding.toUint8Array(to))));
    }
    return this.#bytes([DEFLATED], deflated);
  }

  /** Has the client's update been committed, or will it never be? */
  syncStatus(isCommitted: boolean): Uint8Array {
    return encoding.toUint8Array(this.#begin([SYNC_STATUS, isCommitted ? 1 : 0]));
  }

  authenticated(isWritable: boolean): Uint8Array {
    return this.#text([AUTH, AUTHENTICATED], isWritable ? 'read-write' : 'readonly');
  }

  permissionDenied(reason: string): Uint8Array {
    return this.#text([AUTH, PERMISSION_DENIED], reason);
  }

  /** Asks for a token again: the provider answers with what its `token` gives now. */
  tokenRequest(): Uint8Array {
    return encoding.toUint8Array(this.#begin([AUTH, TOKEN]));
  }

  stateless(text: string): Uint8Array {
    return this.#text([STATELESS], text);
  }

  close(reason: string): Uint8Array {
    return this.#text([CLOSE], reason);
  }

  #once(made: Made, payload: Uint8Array, types: readonly number[]): Uint8Array {
    let byAddress = made.get(payload);
    if (byAddress === undefined) made.set(payload, (byAddress = new Map()));
    let message = byAddress.get(this.#address);
    if (message === undefined) byAddress.set(this.#address, (message = this.#bytes(types, payload)));
    return message;
  }

  #begin(types: readonly number[]): encoding.Encoder {
    const to = encoding.createEncoder();
    encoding.writeVarString(to, this.#address);
    for (const type of types) encoding.writeVarUint(to, type);
    return to;
  }

  #bytes(types: readonly number[], payload: Uint8Array): Uint8Array {
    const to = this.#begin(types);
    encoding.writeVarUint8Array(to, payload);
    return encoding.toUint8Array(to);
  }

  #text(types: readonly number[], text: string): Uint8Array {
    const to = this.#begin(types);
    encoding.writeVarString(to, text);
    return encoding.toUint8Array(to);
  }
}

type Made = WeakMap<Uint8Array, Map<string, Uint8Array>>;
const deflatedSteps = new WeakMap<Uint8Array, Uint8Array>();
const updates: Made = new WeakMap();
const awarenesses: Made = new WeakMap();
