import type { FastifyInstance } from 'fastify';
import * as encoding from 'lib0/encoding';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { regionInMemory, type RegionInMemory } from '../../region-in-memory.ts';
import { openDoors } from '../doors.ts';
import { closeHttp, openHttp } from '../http.ts';
import type { Sockets } from '../sockets.ts';

const NAME = 'acme/segment/general/1';
const [AUTH, STATELESS] = [2, 5];
/** What a loaded machine needs for what is quick elsewhere, milliseconds. */
const patience = { timeout: 15_000 };

let region: RegionInMemory;
let http: FastifyInstance;
let doors: Sockets;
let url: string;
const sockets: WebSocket[] = [];
/** Who was let in, in that order. */
const letIn: string[] = [];

beforeEach(async () => {
  region = await regionInMemory();
  http = await openHttp(region);
  doors = openDoors(http.server, region);
  await http.listen({ host: '127.0.0.1', port: 0 });
  url = `ws://127.0.0.1:${(http.server.address() as AddressInfo).port}/v1/collab`;
  letIn.length = 0;
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.terminate();
  await doors.close();
  await closeHttp(http, 100);
  region.stop.abort();
});

function frame(type: number, ...texts: string[]): Uint8Array {
  const to = encoding.createEncoder();
  encoding.writeVarString(to, NAME);
  encoding.writeVarUint(to, type);
  if (type === AUTH) encoding.writeVarUint(to, 0);
  for (const text of texts) encoding.writeVarString(to, text);
  return encoding.toUint8Array(to);
}

/** Somebody who shows a token; resolves when the region has it. */
async function arrive(member: string): Promise<WebSocket> {
  const socket = new WebSocket(url);
  sockets.push(socket);
  // Of one byte are the pings of the protocol.
  socket.on('message', (data: Buffer) => {
    if (data.length > 1 && !letIn.includes(member)) letIn.push(member);
  });
  await new Promise((resolve) => socket.once('open', resolve));
  socket.send(frame(AUTH, await region.token({ sub: member })));
  await heard(socket);
  return socket;
}

/** What was sent before has been read: frames and pings are read in their order. */
async function heard(socket: WebSocket): Promise<void> {
  const answered = new Promise((resolve) => socket.once('pong', resolve));
  socket.ping();
  await answered;
}

test('R10 while a database keeps sixteen waiting nobody else begins; who is waited for is let in next (PAINS 15)', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  region.answersAfter = promise;
  for (let at = 0; at < 80; at++) await arrive(`member-${at}`);
  const late = await arrive('late');
  late.send(frame(STATELESS, JSON.stringify({ do: 'state', idle: false })));
  await heard(late);
  expect(letIn).toEqual([]);
  resolve();
  await expect.poll(() => letIn.length, patience).toBe(81);
  expect(letIn.indexOf('late')).toBeLessThan(48);
});

test('R10 those who leave while they wait are not let in, and take nobody’s place', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  region.answersAfter = promise;
  const gone = await Promise.all(Array.from({ length: 40 }, (_, at) => arrive(`gone-${at}`)));
  for (const socket of gone) socket.terminate();
  const stays = arrive('stays');
  await stays;
  resolve();
  await expect.poll(() => letIn, patience).toEqual(['stays']);
  const live = await region.replica.documents.open('acme-id/segment/general-id/1');
  await expect.poll(() => live.listeners.size, patience).toBe(1);
});
