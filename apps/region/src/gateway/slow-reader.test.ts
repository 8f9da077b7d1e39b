import { HocuspocusProvider, HocuspocusProviderWebsocket } from '@hocuspocus/provider';
import { canvasName, commandId, type Command } from '@causeway/protocol';
import type { FastifyInstance } from 'fastify';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import * as Y from 'yjs';
import { regionInMemory, type RegionInMemory } from '../region-in-memory.ts';
import { openDoors } from './doors.ts';
import { closeHttp, openHttp } from './http.ts';
import type { Sockets } from './sockets.ts';

const MIB = 1024 * 1024;
const PIECE = 256 * 1024;

let region: RegionInMemory;
let http: FastifyInstance;
let doors: Sockets;
let base: string;
const cleanups: (() => void)[] = [];

beforeEach(async () => {
  region = await regionInMemory();
  http = await openHttp(region);
  doors = openDoors(http.server, region);
  await http.listen({ host: '127.0.0.1', port: 0 });
  base = `ws://127.0.0.1:${(http.server.address() as AddressInfo).port}/v1`;
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) cleanup();
  await doors.close();
  await closeHttp(http, 100);
  region.stop.abort();
});

/** A stock provider's document, the sockets that it opened, and the sizes of what it was sent. */
type Reader = { doc: Y.Doc; sockets: WebSocket[]; sizes: number[] };

/** A WebSocket of which the test can stop the reading, as a browser does with a page in the background. */
const pausable = ({ sockets, sizes }: Reader): typeof globalThis.WebSocket =>
  class extends WebSocket {
    constructor(url: string) {
      super(url);
      sockets.push(this);
      this.on('message', (data: Buffer | ArrayBuffer) => sizes.push(data.byteLength));
    }
  } as unknown as typeof globalThis.WebSocket;

async function open(name: string, reader: Reader): Promise<void> {
  const socket = new HocuspocusProviderWebsocket({
    url: `${base}/collab`,
    WebSocketPolyfill: pausable(reader),
  });
  const provider = new HocuspocusProvider({
    websocketProvider: socket,
    name,
    document: reader.doc,
    token: await region.token(),
  });
  provider.attach();
  cleanups.push(() => (provider.destroy(), socket.destroy()));
  await expect.poll(() => provider.synced).toBe(true);
}

async function canvas(): Promise<string> {
  const made = {
    kind: 'canvas',
    workspace: 'acme-id',
    member: 'ada',
    nonce: region.nonce(),
    title: 'a canvas',
    v: region.replica.clock.tick(),
  } as Command;
  await region.replica.execute(made);
  return canvasName('acme-id', commandId(made));
}

it('R10 60 MB past a paused reader cost its bound; reading again it gets differences of bounded size, others are unharmed (PAINS 26)', async () => {
  const name = await canvas();
  const [paused, honest] = [0, 1].map((): Reader => ({ doc: new Y.Doc(), sockets: [], sizes: [] }));
  await open(name, paused!);
  await open(name, honest!);
  paused!.sockets[0]!.pause();
  const writer = new Y.Doc();
  const updates: Uint8Array[] = [];
  writer.on('update', (bytes: Uint8Array) => updates.push(bytes));
  let most = 0;
  for (let written = 0, at = 0; written < 60 * MIB; at++) {
    // One key over and over, and a text that grows: little of the traffic is left in the document.
    writer.getMap('map').set('key', `${at}`.padEnd(120_000, 'x'));
    writer.getText('text').insert(0, `${at} `.padEnd(8_000, 'y'));
    for (const update of updates.splice(0)) {
      written += update.length;
      await region.replica.writeCanvas(name, update, 'ben');
    }
    if (at % 20 !== 0) continue;
    await expect
      .poll(() => honest!.doc.getText('text').length, { timeout: 5_000 })
      .toBe(writer.getText('text').length);
    // Nothing waits for the honest one now.
    most = Math.max(most, region.metrics.outgoing.waitingBytes);
  }
  expect(region.metrics.outgoing.dropped).toBeGreaterThan(100);
  expect(most).toBeLessThanOrEqual(MIB);
  expect(honest!.sockets).toHaveLength(1);
  paused!.sockets[0]!.resume();
  const text = writer.getText('text').toString();
  await expect.poll(() => paused!.doc.getText('text').toString() === text, { timeout: 20_000 }).toBe(true);
  expect(paused!.doc.getMap('map').toJSON()).toEqual(writer.getMap('map').toJSON());
  expect(Math.max(...paused!.sizes)).toBeLessThan(PIECE + 1_000);
  // Some megabytes had been in kernel buffers; the rest came as difference.
  expect(paused!.sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(30 * MIB);
  await expect.poll(() => region.metrics.outgoing.waitingBytes).toBe(0);
  expect(paused!.sockets).toHaveLength(1);
  writer.getMap('map').set('key', 'the end');
  await region.replica.writeCanvas(name, updates[0]!, 'ben');
  await expect.poll(() => paused!.doc.getMap('map').get('key')).toBe('the end');
});
