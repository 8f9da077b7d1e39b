import { fastify, type FastifyInstance } from 'fastify';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Listeners } from './listeners.ts';

let http: FastifyInstance;
let listeners: Listeners;
let port: number;

beforeEach(async () => {
  http = fastify({ forceCloseConnections: 'idle' });
  http.get('/', () => 'here');
  listeners = new Listeners();
  await listeners.listen(http, { host: '127.0.0.1', port: 0 });
  ({ port } = http.server.address() as AddressInfo);
});
afterEach(async () => {
  listeners.refuse();
  await http.close();
  await listeners.close(100);
});

const ask = async (): Promise<string> => (await fetch(`http://127.0.0.1:${port}/`)).text();

test('R10 everybody is answered, whichever socket took the connection', async () => {
  const answers = await Promise.all(Array.from({ length: 200 }, ask));
  expect(new Set(answers)).toEqual(new Set(['here']));
});

test('a second one at the same port is told that it is taken', async () => {
  const other = fastify();
  await expect(new Listeners().listen(other, { host: '127.0.0.1', port })).rejects.toMatchObject({
    code: 'EADDRINUSE',
  });
  await other.close();
});

test('once it refuses, and the server is closed, nobody gets in', async () => {
  expect(await ask()).toBe('here');
  listeners.refuse();
  await http.close();
  await expect(ask()).rejects.toThrow('fetch failed');
});
