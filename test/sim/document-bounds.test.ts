import { LIMITS, canvasName, segmentName } from '@causeway/protocol';
import { afterEach, describe, expect, it } from 'vitest';
import * as Y from 'yjs';
import { CHANNEL, WORKSPACE, World } from './world.ts';

const CANVAS = canvasName(WORKSPACE, 'plan');
const KiB = 1024;

let world: World;
const open = (): World => (world = new World({ regions: ['us', 'eu'] }));
afterEach(() => world.close());

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'ok',
    (error: { code?: string }) => error.code ?? String(error),
  );

/** A client of a canvas; each change returns its update. */
function clientOf(id: number) {
  const doc = new Y.Doc();
  doc.clientID = id;
  const change = (by: (text: Y.Text) => void): Uint8Array => {
    let emitted: Uint8Array | undefined;
    doc.once('update', (bytes: Uint8Array) => (emitted = bytes));
    by(doc.getText('t'));
    return emitted!;
  };
  return {
    doc,
    type: (text: string) => change((t) => t.insert(t.length, text)),
    erase: (at: number, length: number) => change((t) => t.delete(at, length)),
    replace: (at: number, text: string) =>
      change((t) =>
        t.doc!.transact(() => {
          t.delete(at, text.length);
          t.insert(at, text);
        }),
      ),
  };
}

const write = (bytes: Uint8Array): Promise<string> =>
  codeOf(world.at('us').writeCanvas(CANVAS, bytes, 'ada'));

describe('a canvas that would become too large', () => {
  it('R10 refuses the update without touching the room; others go on, deleting makes space (PAINS 22)', async () => {
    // PAINS 22: an oversized write wipes the room.
    open();
    const client = clientOf(1);
    for (let n = 0; n < 17; n++) expect(await write(client.type('x'.repeat(480 * KiB)))).toBe('ok');
    const heard: Uint8Array[] = [];
    let dropped = 0;
    await world
      .at('us')
      .join(CANVAS, { update: (bytes) => void heard.push(bytes), dropped: () => void dropped++ });
    const { store } = world.region('us');
    const rows = (await store.loadDocument(CANVAS)).length;
    const live = await world.at('us').documents.open(CANVAS);
    const state = Y.encodeStateAsUpdate(live.doc);
    const greedy = clientOf(2);
    for (const text of ['y'.repeat(480 * KiB), 'y'.repeat(9_000 * KiB)]) {
      expect(await write(greedy.type(text))).toBe('document-too-large');
    }
    expect([heard.length, dropped]).toEqual([0, 0]);
    expect(Buffer.compare(Y.encodeStateAsUpdate(live.doc), state)).toBe(0);
    expect(await store.loadDocument(CANVAS)).toHaveLength(rows);
    // Small ones still fit, repeats and deletes always do, and after them there is space again.
    const other = clientOf(3);
    Y.applyUpdate(other.doc, state);
    expect(await write(other.type('small'))).toBe('ok');
    expect(await write(state)).toBe('ok');
    expect(await write(other.erase(0, 4_000 * KiB))).toBe('ok');
    expect(await write(clientOf(4).type('z'.repeat(480 * KiB)))).toBe('ok');
    expect(dropped).toBe(0);
    expect(live.dropped).toBe(false);
  });

  it('R10 is measured by its state, not by its history', async () => {
    open();
    const client = clientOf(1);
    expect(await write(client.type('x'.repeat(400 * KiB)))).toBe('ok');
    for (let n = 0; n < 60; n++)
      expect(await write(client.replace(0, `${n % 10}`.repeat(400 * KiB)))).toBe('ok');
    expect(60 * 400 * KiB).toBeGreaterThan(2 * LIMITS.canvasBytes);
  });
});

describe('a document whose log is poisonous', () => {
  it('R10 is refused with its own error and a notice, read once, and everything else is served (PAINS 12)', async () => {
    // PAINS 12: one poisonous document hangs the server.
    open();
    const { store, faults, processes } = world.region('us');
    const megabyte = clientOf(1).type('x'.repeat(1024 * KiB));
    for (let n = 0; n < 65; n++)
      await store.apply({
        peer: 'eu',
        rows: [{ entry: { kind: 'update', name: CANVAS, bytes: megabyte } }],
        own: [],
        parked: [],
      });
    let loads = 0;
    faults.inject((operation, when) => {
      if (operation === 'loadDocument' && when === 'before') loads++;
      return undefined;
    });
    const listener = { update: () => undefined, dropped: () => undefined };
    for (let n = 0; n < 20; n++)
      expect(await codeOf(world.at('us').join(CANVAS, listener))).toBe('document-too-large');
    expect(await write(clientOf(2).type('y'))).toBe('document-too-large');
    expect(loads).toBe(1);
    expect(world.at('us').documents.size).toBe(0);
    await world.at('us').execute(world.post('served'));
    await world.until(async () => (await world.bodies('eu')).includes('served'), 'in the other region too');
    const other = canvasName(WORKSPACE, 'other');
    await world.at('us').writeCanvas(other, clientOf(3).type('z'), 'ada');
    await world.until(
      async () => (await store.stale(10)).every(({ name }) => name === CANVAS),
      'everything else has its digest',
    );
    const said = processes[0]!.notices.filter(({ what }) => what === 'quarantined');
    expect(said.length).toBeGreaterThanOrEqual(1);
    expect(said).toEqual(
      said.map(() => ({ what: 'quarantined', kind: 'canvas', bytes: 65 * megabyte.length })),
    );
  });

  it('R10 does not take its channel with it: posts go into the next segment, in every region', async () => {
    open();
    await world.at('us').execute(world.post('before'));
    await world.until(async () => (await world.bodies('eu')).includes('before'), 'there');
    const name = segmentName(WORKSPACE, CHANNEL, 1);
    for (const { store, processes } of world.regions) {
      for (let n = 0; n < 65; n++)
        await store.apply({
          peer: 'eu',
          rows: [{ entry: { kind: 'update', name, bytes: clientOf(1).type('x'.repeat(1024 * KiB)) } }],
          own: [],
          parked: [],
        });
      for (const { replica } of processes) replica.documents.drop(name);
    }
    for (const region of ['us', 'eu']) {
      const { token } = await world.at(region).execute(world.post(`after in ${region}`));
      expect(token[0]).toMatchObject({ document: segmentName(WORKSPACE, CHANNEL, 2) });
    }
    const segments = await world.region('us').store.segments(`${WORKSPACE}/channel/${CHANNEL}`);
    expect(segments.map(({ segment }) => segment)).toContain(2);
  });

  it('R10 leaves memory when it becomes so while somebody reads it', async () => {
    open();
    const client = clientOf(1);
    await write(client.type('x'));
    let dropped = 0;
    await world.at('us').join(CANVAS, { update: () => undefined, dropped: () => void dropped++ });
    const { documents } = world.at('us');
    const nonsense = clientOf(2).type('x'.repeat(65 * 1024 * KiB));
    documents.committedElsewhere(CANVAS, nonsense);
    expect([dropped, documents.size]).toEqual([1, 0]);
  });
});
