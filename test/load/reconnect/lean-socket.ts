import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';

const OPCODE = { text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;
const FINAL = 0x80;
const MASKED = 0x80;
/** What a browser reports for a connection that ended without a close frame (RFC 6455, 7.1.5). */
const ABNORMAL = 1006;
const HEAD_END = Buffer.from('\r\n\r\n');

/**
 * A WebSocket as far as the SDK's link uses one, on a bare TCP connection: a tenth of the CPU of the
 * global one, so that ten thousand fit beside the server that they try. Messages from the server come
 * unfragmented and as bytes. Upgrades are believed without their `Sec-WebSocket-Accept`.
 */
export class LeanSocket extends EventTarget {
  /** Connections begun in this process, those that were refused included. */
  static begun = 0;
  static readonly #living = new Set<LeanSocket>();
  /** The loopback address to connect from: each has 28,000 ports of its own. */
  static from = '127.0.0.1';

  /** Every connection of the process is reset at once, as by a balancer that dies. */
  static cutAll(): void {
    for (const socket of LeanSocket.#living) socket.#socket.resetAndDestroy();
  }

  binaryType = 'arraybuffer';
  readonly #socket: Socket;
  #isUpgraded = false;
  #received: Buffer = Buffer.alloc(0);
  #closing = { code: ABNORMAL, reason: '' };

  constructor(url: string | URL) {
    super();
    const { hostname, port, pathname, host } = new URL(url);
    LeanSocket.begun++;
    const from = { localAddress: LeanSocket.from, noDelay: true };
    const socket = connect({ host: hostname, port: Number(port), ...from });
    this.#socket = socket;
    LeanSocket.#living.add(this);
    socket.on('connect', () => socket.write(upgradeOf(host, pathname)));
    socket.on('data', (data) => this.#take(data));
    // What is wrong with it is said by the close that follows.
    socket.on('error', () => undefined);
    socket.on('end', () => socket.end());
    socket.on('close', () => {
      LeanSocket.#living.delete(this);
      this.dispatchEvent(new CloseEvent('close', this.#closing));
    });
  }

  send(data: Uint8Array): void {
    this.#write(OPCODE.binary, data);
  }

  close(): void {
    if (!this.#isUpgraded) return void this.#socket.destroy();
    this.#write(OPCODE.close, Uint8Array.of(1_000 >> 8, 1_000 & 255));
    this.#socket.end();
  }

  #take(data: Buffer): void {
    this.#received = this.#received.length === 0 ? data : Buffer.concat([this.#received, data]);
    if (!this.#isUpgraded && !this.#upgraded()) return;
    for (let frame = readFrame(this.#received); frame !== undefined; frame = readFrame(this.#received)) {
      this.#received = this.#received.subarray(frame.end);
      this.#act(frame.opcode, frame.payload);
    }
  }

  #upgraded(): boolean {
    const at = this.#received.indexOf(HEAD_END);
    if (at === -1) return false;
    const isAccepted = this.#received.subarray(0, at).toString('latin1').startsWith('HTTP/1.1 101 ');
    if (!isAccepted) {
      this.#socket.destroy();
      return false;
    }
    this.#received = this.#received.subarray(at + HEAD_END.length);
    this.#isUpgraded = true;
    this.dispatchEvent(new Event('open'));
    return true;
  }

  #act(opcode: number, payload: Buffer): void {
    if (opcode === OPCODE.binary) this.dispatchEvent(new MessageEvent('message', { data: payload }));
    else if (opcode === OPCODE.ping) this.#write(OPCODE.pong, payload);
    else if (opcode === OPCODE.close) {
      const code = payload.length < 2 ? 1_005 : payload.readUInt16BE(0);
      this.#closing = { code, reason: payload.subarray(2).toString() };
      this.close();
    }
  }

  #write(opcode: number, payload: Uint8Array): void {
    if (this.#socket.writable) this.#socket.write(maskedFrame(opcode, payload));
  }
}

function upgradeOf(host: string, path: string): string {
  return [
    `GET ${path} HTTP/1.1`,
    `Host: ${host}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
    '\r\n',
  ].join('\r\n');
}

type Frame = { opcode: number; payload: Buffer; end: number };

/** The first frame of what was received, if it is there whole; servers do not mask. */
function readFrame(from: Buffer): Frame | undefined {
  if (from.length < 2) return undefined;
  const short = from[1]! & 127;
  const head = short < 126 ? 2 : short === 126 ? 4 : 10;
  if (from.length < head) return undefined;
  const length = head === 2 ? short : head === 4 ? from.readUInt16BE(2) : Number(from.readBigUInt64BE(2));
  const end = head + length;
  return from.length < end ? undefined : { opcode: from[0]! & 15, payload: from.subarray(head, end), end };
}

/** Masked with zeros: servers unmask it as any other one, and nobody between us reads it. */
function maskedFrame(opcode: number, payload: Uint8Array): Buffer {
  const { length } = payload;
  const head = length < 126 ? 2 : 4;
  const frame = Buffer.alloc(head + 4 + length);
  frame[0] = FINAL | opcode;
  frame[1] = MASKED | (head === 2 ? length : 126);
  if (head === 4) frame.writeUInt16BE(length, 2);
  frame.set(payload, head + 4);
  return frame;
}
