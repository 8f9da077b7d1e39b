import { HocuspocusProvider, HocuspocusProviderWebsocket } from '@hocuspocus/provider';
import { canvasName, commandId, versionName, type Command } from '@causeway/protocol';
import type { FastifyInstance } from 'fastify';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as Y from 'yjs';
import { regionInMemory, type RegionInMemory } from '../../region-in-memory.ts';
import { openDoors } from '../doors.ts';
import { closeHttp, openHttp } from '../http.ts';
import type { Sockets } from '../sockets.ts';

let region: RegionInMemory;
let http: FastifyInstance;
let doors: Sockets;
let url: string;
const cleanups: (() => void)[] = [];

beforeEach(async () => {
  region = await regionInMemory();
  http = await openHttp(region);
  doors = openDoors(http.server, region);
  await http.listen({ host: '127.0.0.1', port: 0 });
  url = `ws://127.0.0.1:${(http.server.address() as AddressInfo).port}/v1/collab`;
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) cleanup();
  await doors.close();
  await closeHttp(http, 100);
  region.stop.abort();
});

const command = (fields: Record<string, unknown>): Command =>
  ({ workspace: 'acme-id', member: 'ada', nonce: region.nonce(), ...fields }) as Command;

/** A canvas that ada made; its document's name. */
async function canvas(): Promise<string> {
  const made = command({ kind: 'canvas', title: 'a canvas', v: region.replica.clock.tick() });
  await region.replica.execute(made);
  return canvasName('acme-id', commandId(made));
}

function socket(): HocuspocusProviderWebsocket {
  const opened = new HocuspocusProviderWebsocket({ url, delay: 20, minDelay: 10, maxDelay: 100 });
  cleanups.push(() => opened.destroy());
  return opened;
}

type Opened = {
  provider: HocuspocusProvider;
  doc: Y.Doc;
  heard: string[];
  refusals: string[];
  closes: string[];
};

function open(
  websocketProvider: HocuspocusProviderWebsocket,
  name: string,
  token: string | (() => Promise<string>),
): Opened {
  const doc = new Y.Doc();
  const heard: string[] = [];
  const refusals: string[] = [];
  const closes: string[] = [];
  const provider = new HocuspocusProvider({
    websocketProvider,
    name,
    document: doc,
    token,
    onStateless: ({ payload }) => heard.push(payload),
    onAuthenticationFailed: ({ reason }) => refusals.push(reason),
    onClose: ({ event }) => closes.push(`${event.code} ${event.reason}`),
  });
  provider.attach();
  cleanups.push(() => provider.destroy());
  return { provider, doc, heard, refusals, closes };
}

/** What a loaded machine needs for what is quick elsewhere, milliseconds. */
const patience = { timeout: 15_000 };
const isSynced = ({ provider }: Opened): Promise<void> =>
  expect.poll(() => provider.isSynced && provider.unsyncedChanges === 0, patience).toBe(true);
const textOf = (doc: Y.Doc): string => doc.getText('text').toString();

describe('the collab door, with the stock provider', () => {
  it('R2 two people co-edit a canvas; what is acknowledged is committed', async () => {
    const name = await canvas();
    const ada = open(socket(), name, await region.token());
    const ben = open(socket(), name, await region.token({ sub: 'ben' }));
    await isSynced(ada);
    await isSynced(ben);
    expect(ada.provider.authorizedScope).toBe('read-write');
    ada.doc.getText('text').insert(0, 'hello');
    await isSynced(ada);
    const rows = await region.store.loadDocument(name);
    const copy = new Y.Doc();
    for (const row of rows) Y.applyUpdate(copy, row);
    expect(textOf(copy)).toBe('hello');
    await expect.poll(() => textOf(ben.doc)).toBe('hello');
    ben.doc.getText('text').insert(5, ' ocean');
    await expect.poll(() => textOf(ada.doc)).toBe('hello ocean');
  });

  it('R2 no SyncStatus comes while the commit is under way', async () => {
    const name = await canvas();
    const ada = open(socket(), name, await region.token());
    await isSynced(ada);
    const answer = Promise.withResolvers<void>();
    region.answersAfter = answer.promise;
    ada.doc.getText('text').insert(0, 'hello');
    const live = await region.replica.documents.open(name);
    await expect.poll(() => textOf(live.doc)).toBe('hello');
    expect(ada.provider.unsyncedChanges).toBe(1);
    answer.resolve();
    await isSynced(ada);
  });

  it('serves channel documents read-only, by slug or id; what a client writes into one stays with it', async () => {
    const one = socket();
    const post = command({ kind: 'post', channel: 'general-id', body: 'hello' });
    await region.replica.execute(post);
    const byId = open(one, 'acme-id/segment/general-id/1', await region.token());
    const bySlug = open(one, 'acme/segment/general/1', await region.token());
    await isSynced(byId);
    await isSynced(bySlug);
    expect(byId.provider.authorizedScope).toBe('readonly');
    expect([...bySlug.doc.getMap('m').keys()][0]).toContain(commandId(post));
    byId.doc.getMap('m').set('forged', 1);
    await expect.poll(() => byId.provider.unsyncedChanges).toBe(1);
    await region.replica.execute(command({ kind: 'post', channel: 'general-id', body: 'more' }));
    await expect.poll(() => bySlug.doc.getMap('m').size).toBe(2);
    expect(bySlug.doc.getMap('m').has('forged')).toBe(false);
    expect(byId.provider.unsyncedChanges).toBe(1);
  });

  it('R10 500 documents on one socket: each message reaches its own, and its own alone (PAINS 7)', async () => {
    const one = socket();
    const token = await region.token();
    const names = await Promise.all(Array.from({ length: 500 }, canvas));
    const all = names.map((name) => open(one, name, token));
    const counts = all.map(({ provider }) => {
      const count = { heard: 0 };
      provider.on('message', () => count.heard++);
      return count;
    });
    for (const each of all) await isSynced(each);
    for (const count of counts) count.heard = 0;
    const writer = open(socket(), names[250]!, token);
    await isSynced(writer);
    writer.provider.setAwarenessField('cursor', 1);
    for (let n = 0; n < 20; n++) writer.doc.getText('text').insert(0, `${n} `);
    await expect.poll(() => textOf(all[250]!.doc)).toBe(textOf(writer.doc));
    expect(counts[250]!.heard).toBeGreaterThan(0);
    expect(counts.filter(({ heard }) => heard > 0)).toHaveLength(1);
    all[7]!.doc.getText('text').insert(0, 'hello');
    await isSynced(all[7]!);
    expect((await region.store.loadDocument(names[7]!)).length).toBe(1);
  });

  it('two providers on one document and one socket are told apart by their numbers', async () => {
    const one = socket();
    const name = await canvas();
    const token = await region.token();
    const [first, second] = [0, 1].map(() => {
      const doc = new Y.Doc();
      const provider = new HocuspocusProvider({
        websocketProvider: one,
        name,
        document: doc,
        token,
        sessionAwareness: true,
      });
      provider.attach();
      cleanups.push(() => provider.destroy());
      return { provider, doc, heard: [], refusals: [], closes: [] };
    });
    await isSynced(first!);
    await isSynced(second!);
    first!.doc.getText('text').insert(0, 'hello');
    await expect.poll(() => textOf(second!.doc)).toBe('hello');
  });

  it('shows who is there, and nobody who has left', async () => {
    const name = await canvas();
    const ada = open(socket(), name, await region.token());
    const ben = open(socket(), name, await region.token({ sub: 'ben' }));
    await isSynced(ada);
    await isSynced(ben);
    ben.provider.setAwarenessField('user', 'ben');
    const states = (): unknown[] => [...ada.provider.awareness!.getStates().values()];
    await expect.poll(states).toContainEqual({ user: 'ben' });
    ben.provider.destroy();
    await expect.poll(states).not.toContainEqual({ user: 'ben' });
  });

  it('R12 refuses strangers, other workspaces and what is not there, with the code first; others go on', async () => {
    const one = socket();
    const name = await canvas();
    const fine = open(one, name, await region.token());
    await isSynced(fine);
    const cases: [name: string, token: string, code: string][] = [
      ['acme-eu-id/canvas/x', await region.token(), 'forbidden'],
      ['acme-id/canvas/nowhere', await region.token(), 'not-here-yet'],
      ['acme-id/segment/general-id/77', await region.token(), 'not-here-yet'],
      ['acme-id/member/ada', await region.token(), 'not-found'],
      ['acme-eu/session', await region.token(), 'forbidden'],
      ['nonsense', await region.token(), 'not-found'],
      ['acme-id/segment/general-id/1', 'no token', 'unauthorized'],
      ['acme/segment/general/1', await region.token({ sub: 'ben' }), 'forbidden'],
    ];
    for (const [name, token, code] of cases) {
      const refused = open(one, name, token);
      await expect.poll(() => refused.refusals.length, { message: name }).toBe(1);
      expect(refused.refusals[0]).toMatch(new RegExp(`^${code}: `));
      refused.provider.destroy();
    }
    expect(region.replica.documents.size).toBe(1);
    fine.doc.getText('text').insert(0, 'hello');
    await isSynced(fine);
    expect(fine.closes).toEqual([]);
  });

  it('R4 carries the conversation in stateless messages, on the session and on any document', async () => {
    const one = socket();
    const talk = open(one, 'acme/session', await region.token());
    const name = await canvas();
    const other = open(one, name, await region.token());
    await isSynced(talk);
    expect(talk.provider.authorizedScope).toBe('readonly');
    const post = command({ kind: 'post', channel: 'general-id', body: 'hello' });
    for (const [ref, { provider }] of [talk, other].entries())
      provider.sendStateless(JSON.stringify({ do: 'command', ref, command: post }));
    await expect.poll(() => [talk.heard.length, other.heard.length]).toEqual([1, 1]);
    expect(JSON.parse(talk.heard[0]!)).toMatchObject({
      re: 0,
      ack: { id: commandId(post), level: 'region' },
    });
    expect(JSON.parse(other.heard[0]!)).toMatchObject({ re: 1, ack: { id: commandId(post) } });
    const page = await region.replica.messages('acme-id', 'general-id', undefined, 10);
    expect(page.items).toHaveLength(1);
  });

  it('R3 resumes after a cut with the difference, and what was written meanwhile is sent', async () => {
    const name = await canvas();
    const one = socket();
    const ada = open(one, name, await region.token());
    await isSynced(ada);
    ada.doc.getText('text').insert(0, 'x'.repeat(100_000));
    await isSynced(ada);
    one.disconnect();
    await expect.poll(() => ada.provider.isSynced).toBe(false);
    await region.replica.writeCanvas(name, updateOf('meanwhile', 'there'), 'ben');
    ada.doc.getMap('words').set('here', 'meanwhile');
    let bytes = 0;
    ada.provider.on(
      'message',
      ({ event }: { event: { data: ArrayBuffer } }) => (bytes += event.data.byteLength),
    );
    await one.connect();
    await isSynced(ada);
    expect(ada.doc.getMap('words').toJSON()).toEqual({ there: 'meanwhile', here: 'meanwhile' });
    expect(bytes).toBeLessThan(2_000);
  });

  it('a failed commit closes the socket: the provider reconnects and what it wrote is kept', async () => {
    const name = await canvas();
    const ada = open(socket(), name, await region.token());
    await isSynced(ada);
    region.broken = true;
    ada.doc.getText('text').insert(0, 'hello');
    await expect.poll(() => ada.closes.length).toBeGreaterThan(0);
    region.broken = false;
    await isSynced(ada);
    const live = await region.replica.documents.open(name);
    expect(textOf(live.doc)).toBe('hello');
  });

  it('a provider that is destroyed lets go of its document; the same socket opens it again', async () => {
    const one = socket();
    const name = await canvas();
    const listeners = async (): Promise<number> => (await region.replica.documents.open(name)).listeners.size;
    for (let n = 0; n < 20; n++) {
      const ada = open(one, name, await region.token());
      if (n % 2 === 0) await isSynced(ada);
      ada.provider.destroy();
    }
    await expect.poll(listeners).toBe(0);
    await isSynced(open(one, name, await region.token()));
    expect(await listeners()).toBe(1);
  });

  it('R10 1,000 refused openings leave neither document nor listener', async () => {
    const one = socket();
    await isSynced(open(one, 'acme/session', await region.token()));
    const token = await region.token();
    const refused = Array.from({ length: 900 }, (_, n) => open(one, `acme-id/canvas/c${n}`, token));
    await expect.poll(() => refused.every(({ refusals }) => refusals.length === 1), patience).toBe(true);
    expect(region.replica.documents.size).toBe(0);
    for (const { provider } of refused) provider.destroy();
  });

  it('a document that is not here yet is tried again by a provider that is alone on its socket', async () => {
    const made = command({ kind: 'canvas', title: 'late', v: region.replica.clock.tick() });
    const late = open(socket(), canvasName('acme-id', commandId(made)), await region.token());
    await expect.poll(() => late.closes.length).toBeGreaterThan(0);
    await region.replica.execute(made);
    await isSynced(late);
  });
});

const updateOf = (value: string, key: string): Uint8Array => {
  const doc = new Y.Doc();
  doc.getMap('words').set(key, value);
  return Y.encodeStateAsUpdate(doc);
};

describe('canvases with rights and versions, with the stock provider', () => {
  it('R12 who may view reads and is seen, who may write again is told so, who may not see is refused at once and while it is open', async () => {
    const name = await canvas();
    const id = name.split('/')[2]!;
    const share = (right: string) =>
      region.replica.execute(
        command({ kind: 'share', canvas: id, to: 'ben', right, v: region.replica.clock.tick() }),
      );
    const ada = open(socket(), name, await region.token());
    await isSynced(ada);
    ada.doc.getText('text').insert(0, 'hello');
    await isSynced(ada);
    await share('view');
    const viewer = open(socket(), name, await region.token({ sub: 'ben' }));
    await isSynced(viewer);
    expect([viewer.provider.authorizedScope, textOf(viewer.doc)]).toEqual(['readonly', 'hello']);
    viewer.doc.getText('text').insert(0, 'not ');
    await expect.poll(() => viewer.provider.unsyncedChanges, patience).toBe(1);
    expect(textOf((await region.replica.documents.open(name)).doc)).toBe('hello');
    viewer.provider.setAwarenessField('user', 'ben');
    const seen = (): unknown[] => [...ada.provider.awareness!.getStates().values()];
    await expect.poll(seen, patience).toContainEqual({ user: 'ben' });
    await share('edit');
    await expect.poll(() => viewer.provider.authorizedScope, patience).toBe('read-write');
    await expect.poll(() => textOf(ada.doc), patience).toBe('not hello');
    await share('view');
    await expect.poll(() => viewer.provider.authorizedScope, patience).toBe('readonly');
    viewer.doc.getText('text').insert(0, 'never ');
    ada.doc.getText('text').insert(9, '!');
    await expect.poll(() => textOf(viewer.doc), patience).toBe('never not hello!');
    expect(textOf(ada.doc)).toBe('not hello!');
    await share('none');
    await expect.poll(() => viewer.closes[0] ?? '', patience).toContain('forbidden');
    const refused = open(socket(), name, await region.token({ sub: 'ben' }));
    await expect.poll(() => refused.refusals, patience).toHaveLength(1);
    expect(ada.closes).toEqual([]);
  });

  it('opens a version read-only, as it was', async () => {
    const name = await canvas();
    const id = name.split('/')[2]!;
    const ada = open(socket(), name, await region.token());
    await isSynced(ada);
    ada.doc.getText('text').insert(0, 'then');
    await isSynced(ada);
    const kept = command({ kind: 'version', canvas: id, title: 'Then', v: region.replica.clock.tick() });
    await region.replica.execute(kept);
    ada.doc.getText('text').insert(4, ', and now');
    await isSynced(ada);
    const version = open(socket(), versionName('acme', id, commandId(kept)), await region.token());
    await isSynced(version);
    expect([version.provider.authorizedScope, textOf(version.doc)]).toEqual(['readonly', 'then']);
    await region.replica.execute(
      command({ kind: 'restore', canvas: id, version: commandId(kept), v: region.replica.clock.tick() }),
    );
    await expect.poll(() => textOf(ada.doc), patience).toBe('then');
    ada.doc.getText('text').insert(4, ' again');
    await isSynced(ada);
  });
});
