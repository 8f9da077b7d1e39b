import { canvasName } from '@causeway/protocol';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import * as Y from 'yjs';
import { CanvasDocument } from './canvas-document.ts';
import { FakeRegion, webSocketOf } from './fake-region.ts';
import { Credentials } from './link/credentials.ts';
import { Session } from './link/session.ts';

const nth = (generation: number): string => canvasName('acme', 'plan', generation);

let region: FakeRegion;
let canvas: CanvasDocument;
let session: Session;
let ended: number;

beforeEach(() => {
  vi.useFakeTimers();
  region = new FakeRegion();
});
afterEach(() => {
  canvas.drop();
  session.close();
  vi.useRealTimers();
});

const settle = () => vi.advanceTimersByTimeAsync(100);

/** A canvas of the region that holds this, as somebody else wrote it. */
function holds(generation: number, text: string, client = 5): Y.Doc {
  const doc = new Y.Doc();
  const author = new Y.Doc();
  author.clientID = client;
  author.getText('text').insert(0, text);
  Y.applyUpdate(doc, Y.encodeStateAsUpdate(author));
  region.canvases.set(nth(generation), doc);
  return doc;
}

async function open(): Promise<void> {
  session = new Session({
    url: 'http://region',
    credentials: new Credentials('t', Date.now),
    workspace: 'acme',
    member: 'ada',
    random: () => 1,
    webSocket: webSocketOf(region),
    joined: () => undefined,
    pushed: () => undefined,
  });
  ended = 0;
  canvas = new CanvasDocument(session, nth(1), () => ended++);
  await settle();
}

const textOf = (doc: Y.Doc): string => doc.getText('text').toJSON();
const shown = (): string => textOf(canvas.getSnapshot().doc);

function write(index: number, insert: string, remove = 0): void {
  const { doc } = canvas.getSnapshot();
  doc.transact(() => {
    doc.getText('text').delete(index, remove);
    doc.getText('text').insert(index, insert);
  });
}

/** The canvas goes on there: who has the old one open is sent away, and nobody else is let in. */
function supersede(old: number, generation: number, reason = `it goes on as ${nth(generation)}`): void {
  region.denied.set(nth(old), `superseded: ${reason}`);
  for (const socket of region.sockets)
    if (socket.open.has(nth(old))) socket.end(nth(old), `superseded: ${reason}`);
}

const socketsOf = (generation: number) => region.sockets.filter(({ open }) => open.has(nth(generation)));

test('R1 it follows to the new name; what is shown stays until that is here', async () => {
  holds(1, 'one two');
  await open();
  expect(shown()).toBe('one two');
  const next = holds(2, 'one three');
  supersede(1, 2);
  expect(canvas.getSnapshot().connection).toBe('reconnecting');
  expect(shown()).toBe('one two');
  await settle();
  expect(canvas.getSnapshot()).toMatchObject({ connection: 'live', right: 'edit' });
  expect(canvas.getSnapshot().error).toBeUndefined();
  expect(shown()).toBe('one three');
  write(0, 'and ');
  expect(textOf(next)).toBe('and one three');
  next.getText('text').insert(0, 'yes ');
  expect(shown()).toBe('yes and one three');
});

test('R3 what was written while it was offline comes along, deletions included', async () => {
  holds(1, 'one two');
  await open();
  for (const socket of region.sockets) socket.close(1006);
  write(4, '', 3);
  write(0, 'offline ');
  const next = holds(2, 'one two');
  supersede(1, 2);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(canvas.getSnapshot().connection).toBe('live');
  expect(textOf(next)).toBe('offline one ');
  expect(shown()).toBe('offline one ');
});

test('R3 what was written while the new name opens comes along too', async () => {
  holds(1, 'one');
  await open();
  const next = holds(2, 'one');
  supersede(1, 2);
  write(3, ' more');
  await settle();
  expect(textOf(next)).toBe('one more');
});

test('R1 what it wrote upon things that were left out does not come, and nothing waits for them', async () => {
  const old = holds(1, 'one');
  await open();
  const liar = new Y.Doc();
  liar.clientID = 7;
  liar.getText('text').insert(0, 'lies');
  Y.applyUpdate(old, Y.encodeStateAsUpdate(liar));
  write(shown().indexOf('lies') + 2, '(inside)');
  const next = holds(2, 'one');
  supersede(1, 2);
  await settle();
  expect(canvas.getSnapshot().connection).toBe('live');
  expect(shown()).toBe('one');
  expect([next.store.pendingStructs, next.store.pendingDs]).toEqual([null, null]);
  write(3, ' more');
  expect(textOf(next)).toBe('one more');
});

test('R1 what it brings along and may not, is left behind', async () => {
  holds(1, 'one');
  await open();
  write(3, ' more');
  const next = holds(2, 'one');
  next.once('update', () => {
    // The region takes nothing of it.
    holds(2, 'one');
    for (const socket of socketsOf(2)) socket.end(nth(2), 'forbidden: no');
  });
  supersede(1, 2);
  await settle();
  expect(region.sockets[0]!.admitted.filter((name) => name === nth(2))).toHaveLength(2);
  expect(canvas.getSnapshot().connection).toBe('live');
  expect(shown()).toBe('one');
});

test('a name that did not fit into the close is the next one; from there it is led on', async () => {
  holds(1, 'one');
  await open();
  holds(2, 'two');
  const last = holds(3, 'three');
  supersede(1, 3, 'it goes on as acme/can');
  supersede(2, 3);
  await settle();
  expect(canvas.getSnapshot().connection).toBe('live');
  expect(shown()).toBe('three');
  write(0, '> ');
  expect(textOf(last)).toBe('> three');
});

test('R2 it is saved once the region has committed what was written, also what was written without it', async () => {
  const held = holds(1, 'one');
  await open();
  expect(canvas.getSnapshot().isSaved).toBe(true);
  write(0, 'live ');
  expect(canvas.getSnapshot().isSaved).toBe(true);
  for (const socket of region.sockets) socket.close(1006);
  write(0, 'offline ');
  expect(canvas.getSnapshot().isSaved).toBe(false);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(canvas.getSnapshot()).toMatchObject({ isSaved: true, connection: 'live' });
  expect(textOf(held)).toBe('offline live one');
});

test('R3 what is not saved when it is closed is saved before it ends, in the new document too', async () => {
  holds(1, 'one');
  await open();
  const { awareness } = canvas.getSnapshot();
  for (const socket of region.sockets) socket.close(1006);
  write(3, ' more');
  canvas.close();
  expect([canvas.isLeaving, ended, awareness.getLocalState()]).toEqual([true, 0, null]);
  const next = holds(2, 'one');
  supersede(1, 2);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(textOf(next)).toBe('one more');
  expect(ended).toBe(1);
  expect(region.sockets.at(-1)!.names).toEqual([]);
});

test('what is saved, or can never be, ends at once', async () => {
  holds(1, 'one');
  await open();
  canvas.close();
  expect(ended).toBe(1);
});

test('R12 the right is that which the region gave last, and what it does not take is left behind', async () => {
  const held = holds(1, 'one');
  region.viewed.add(nth(1));
  await open();
  expect(canvas.getSnapshot()).toMatchObject({ connection: 'live', right: 'view' });
  const before = canvas.getSnapshot().doc;
  write(3, ' more');
  await settle();
  expect(textOf(held)).toBe('one');
  expect([shown(), canvas.getSnapshot().connection]).toEqual(['one', 'live']);
  expect(canvas.getSnapshot().doc).not.toBe(before);
  region.viewed.delete(nth(1));
  for (const socket of region.sockets) socket.grant(nth(1));
  expect(canvas.getSnapshot().right).toBe('edit');
  write(3, ' more');
  expect(textOf(held)).toBe('one more');
});

test('R12 who is not let in again is told why, and nothing is tried', async () => {
  holds(1, 'one');
  await open();
  region.denied.set(nth(1), 'forbidden: no');
  for (const socket of region.sockets) socket.end(nth(1), 'forbidden: no');
  await settle();
  expect(canvas.getSnapshot()).toMatchObject({ connection: 'stopped', error: { code: 'forbidden' } });
});

test('R11 cursors are of the document that it is now', async () => {
  holds(1, 'one');
  await open();
  canvas.getSnapshot().awareness.setLocalStateField('user', { name: 'ada' });
  const { awareness } = canvas.getSnapshot();
  holds(2, 'one');
  supersede(1, 2);
  await settle();
  expect(canvas.getSnapshot().awareness).not.toBe(awareness);
  expect(awareness.getLocalState()).toBeNull();
});
