import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { WebSocket } from 'ws';

export type Closed = { code: number; reason: string };

/** The other end of a sync door, below the level of Yjs: sends what it likes and hears how it was closed. */
export class RawSocket {
  readonly socket: WebSocket;
  readonly frames: Uint8Array[] = [];
  readonly opened: Promise<void>;
  readonly closed: Promise<Closed>;

  constructor(regionUrl: string, document: string, token?: string) {
    const query = token === undefined ? '' : `?token=${encodeURIComponent(token)}`;
    this.socket = new WebSocket(`${regionUrl.replace('http', 'ws')}/v1/sync/${document}${query}`);
    this.socket.on('message', (data: Buffer) => this.frames.push(data));
    this.socket.on('error', () => undefined);
    this.opened = new Promise((resolve) => this.socket.once('open', () => resolve()));
    this.closed = new Promise((resolve) =>
      this.socket.once('close', (code, reason) => resolve({ code, reason: reason.toString() })),
    );
  }

  /** Resolves when the door has let us in: it speaks first on a canvas. */
  async isIn(): Promise<void> {
    await this.opened;
    if (this.frames.length > 0) return;
    await new Promise<void>((resolve) => this.socket.once('message', () => resolve()));
  }

  send(data: Uint8Array | string): void {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(data, () => undefined);
  }
}

/** Asks for the upgrade, sends bytes right behind it, and hangs up as told, before any answer is read. */
export async function sendAndHangUp(
  regionUrl: string,
  path: string,
  bytes: Uint8Array,
  how: 'end' | 'reset',
): Promise<void> {
  const { hostname, port } = new URL(regionUrl);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  await new Promise<void>((resolve) => socket.once('connect', () => resolve()));
  const head = [
    `GET ${path} HTTP/1.1`,
    `Host: ${hostname}:${port}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
  ].join('\r\n');
  socket.write(Buffer.concat([Buffer.from(`${head}\r\n\r\n`), bytes]));
  await new Promise<void>((resolve) => socket.once('data', () => resolve()).once('close', () => resolve()));
  if (how === 'end') socket.end(Buffer.from([0xf1, 0x80]));
  else socket.resetAndDestroy();
  socket.destroySoon();
}

/** One request on a connection of its own, byte for byte; the whole answer. */
export async function rawRequest(regionUrl: string, text: string): Promise<string> {
  const { hostname, port } = new URL(regionUrl);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  let answer = '';
  socket.on('data', (data) => (answer += data.toString()));
  socket.write(text);
  await new Promise<void>((resolve) => socket.once('close', () => resolve()));
  return answer;
}
