import { ERRORS } from '@causeway/protocol';
import type { FastifyInstance } from 'fastify';
import { randomBytes } from 'node:crypto';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { regionInMemory, type RegionInMemory } from '../../region-in-memory.ts';
import { closeHttp, openHttp } from '../http.ts';
import { openDoors } from '../doors.ts';
import type { Sockets } from '../sockets.ts';

const SEGMENT = '/v1/sync/acme/segment/general/1';
/** Final frame of an unknown kind with bits that nobody agreed on. */
const BAD_FRAME = Uint8Array.of(0xf1, 0x85, 1, 2, 3, 4, 5);

let region: RegionInMemory;
let http: FastifyInstance;
let door: Sockets;
let port: number;

beforeEach(async () => {
  region = await regionInMemory();
  http = await openHttp(region);
  door = openDoors(http.server, region);
  await http.listen({ host: '127.0.0.1', port: 0 });
  port = (http.server.address() as AddressInfo).port;
});
afterEach(async () => {
  await door.close();
  await closeHttp(http, 100);
});

async function client(token?: string): Promise<WebSocket> {
  const query = `?token=${token ?? (await region.token())}`;
  return new WebSocket(`ws://127.0.0.1:${port}${SEGMENT}${query}`);
}

const closeCode = (socket: WebSocket): Promise<number> =>
  new Promise((resolve) => socket.once('close', (code) => resolve(code)));

const opened = (socket: WebSocket): Promise<void> =>
  new Promise((resolve) => socket.once('open', () => resolve()));

/** Upgrades and sends more in the same packet; resolves when the door has answered the upgrade. */
async function upgradeWith(bytes: Uint8Array, token?: string): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  const head = [
    `GET ${SEGMENT}?token=${encodeURIComponent(token ?? (await region.token()))} HTTP/1.1`,
    'Host: region.test',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
  ];
  socket.write(Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), bytes]));
  await new Promise<void>((resolve) => socket.once('data', () => resolve()));
  return socket;
}

const metric = async (name: string): Promise<number> =>
  Number(new RegExp(`^${name}\\{.*\\} (\\d+)$`, 'm').exec(await region.metrics.text())?.[1] ?? Number.NaN);

describe('the sync door', () => {
  it('a bad frame in a socket that dies while its document opens does not end the process', async () => {
    const answer = Promise.withResolvers<void>();
    region.answersAfter = answer.promise;
    const dying = await Promise.all(Array.from({ length: 10 }, () => upgradeWith(BAD_FRAME)));
    await expect.poll(() => metric('causeway_sockets')).toBe(10);
    for (const socket of dying) socket.resetAndDestroy();
    await expect.poll(() => metric('causeway_sockets')).toBe(0);
    answer.resolve();
    const honest = await client();
    await opened(honest);
    expect(await metric('causeway_sockets')).toBe(1);
    const ended = closeCode(honest);
    await door.close();
    expect(await ended).toBe(ERRORS['shutting-down'].close);
  });

  it('stops while documents open that never will', async () => {
    region.answersAfter = new Promise(() => undefined);
    const waiting = await client();
    const end = closeCode(waiting);
    await opened(waiting);
    await door.close();
    expect(await end).toBe(1006);
    expect(await metric('causeway_sockets')).toBe(0);
  });

  it('a refused client that does not answer the close is cut off', async () => {
    const [silent, refused] = [await upgradeWith(new Uint8Array(), 'no token'), await client('no token')];
    const cut = new Promise<void>((resolve) => silent.once('close', () => resolve()));
    expect(await closeCode(refused)).toBe(ERRORS['unauthorized'].close);
    await expect.poll(() => metric('causeway_sockets')).toBe(1);
    await cut;
    await expect.poll(() => metric('causeway_sockets')).toBe(0);
  });

  it('one member opens at most 2,000 documents, others still do', async () => {
    const crowd = await Promise.all(Array.from({ length: 2_000 }, () => client()));
    await Promise.all(crowd.map(opened));
    await expect.poll(() => region.replica.documents.size).toBe(1);
    const live = await region.replica.documents.open('acme-id/segment/general-id/1');
    await expect.poll(() => live.listeners.size).toBe(2_000);
    expect(await closeCode(await client())).toBe(ERRORS['rate-limited'].close);
    const other = await client(await region.token({ sub: 'ben' }));
    await opened(other);
    await expect.poll(() => live.listeners.size).toBe(2_001);
    await door.close();
    expect(live.listeners.size).toBe(0);
  });
});
