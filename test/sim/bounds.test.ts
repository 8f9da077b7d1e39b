import { aboutScope, canvasName, memberScope, nameOfEntry, segmentName } from '@causeway/protocol';
import { Doubtful, Unavailable } from '@causeway/replica';
import { queryObjects } from 'node:v8';
import { afterEach, describe, expect, it } from 'vitest';
import * as Y from 'yjs';
import { reencoded } from './replay.ts';
import { CHANNEL, WORKSPACE, World, outcomeOf, turns } from './world.ts';

const CANVAS = canvasName(WORKSPACE, 'plan');
const SEGMENT = segmentName(WORKSPACE, CHANNEL, 1);
const KiB = 1024;

let world: World;
const open = (regions = ['us']): World => (world = new World({ regions }));
afterEach(() => world.close());

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'ok',
    (error: { code?: string }) => error.code ?? String(error),
  );

/** A client of a canvas; `type` returns the update of one change. */
function clientOf(id: number) {
  const doc = new Y.Doc();
  doc.clientID = id;
  return {
    doc,
    type: (text: string): Uint8Array => {
      const before = Y.encodeStateVector(doc);
      doc.getText('t').insert(doc.getText('t').length, text);
      return Y.encodeStateAsUpdate(doc, before);
    },
  };
}

const textIn = async (region: string): Promise<string> =>
  reencoded(await world.region(region).store.loadDocument(CANVAS))
    .doc.getText('t')
    .toJSON();

/** Objects of a class that are still held by something; collects garbage first. */
const held = (kind: new () => object): number => queryObjects(kind, { format: 'count' });

describe('documents in memory', () => {
  it(
    'R10 10,000 documents whose store fails: memory returns to its base line (PAINS 1)',
    { timeout: 120_000 },
    async () => {
      open();
      const us = world.at('us');
      await us.writeCanvas(CANVAS, clientOf(1).type('warm'), 'ada');
      us.documents.drop(CANVAS);
      // Scopes of cells stay in memory up to their bound, whatever becomes of documents.
      for (let n = 0; n < 5_000; n++) await us.cells.open(aboutScope(WORKSPACE, `warm${n}`));
      await world.time.sleep(60_000);
      const inMemory = () => ({
        docs: held(Y.Doc),
        sleepers: world.time.sleepers,
        scopes: us.cells.scopes().length,
      });
      const before = inMemory();
      let failed = 0;
      const stop = world.region('us').faults.inject((operation, when) => {
        if (operation !== 'append' || when !== 'before') return undefined;
        return Promise.reject(failed++ % 2 === 0 ? new Unavailable('no') : new Doubtful('who knows'));
      });
      const bytes = clientOf(2).type('x'.repeat(KiB));
      const codes: string[] = [];
      for (let n = 0; n < 10_000; n += 100) {
        const writes = Array.from({ length: 100 }, (_, at) =>
          codeOf(us.writeCanvas(canvasName(WORKSPACE, `c${n + at}`), bytes, 'ada')),
        );
        codes.push(...(await Promise.all(writes)));
      }
      expect(new Set(codes)).toEqual(new Set(['not-committed']));
      expect([us.documents.size, us.waiting.appends]).toEqual([0, 0]);
      await world.time.sleep(60_000);
      const after = inMemory();
      expect(after.docs).toBeLessThanOrEqual(before.docs + 1);
      expect(after.sleepers).toBeLessThanOrEqual(before.sleepers);
      expect(after.scopes).toEqual(before.scopes);
      stop();
      expect(await codeOf(us.writeCanvas(CANVAS, bytes, 'ada'))).toBe('ok');
    },
  );

  it('R10 10,000 refused loads leave neither document nor timer (PAINS 2)', async () => {
    open();
    await world.time.sleep(60_000);
    const { sleepers } = world.time;
    const { faults } = world.region('us');
    const stop = faults.inject((operation) =>
      operation.startsWith('load') ? Promise.reject(new Unavailable('no')) : undefined,
    );
    const listener = { update: () => undefined, dropped: () => undefined };
    for (let n = 0; n < 10_000; n++)
      await world
        .at('us')
        .join(canvasName(WORKSPACE, `c${n}`), listener)
        .catch(() => undefined);
    for (let n = 0; n < 1_000; n++) await outcomeOf(world.at('us').execute(world.post(`${n}`)));
    expect([world.at('us').documents.size, world.at('us').cells.scopes()]).toEqual([0, []]);
    expect(world.at('us').waiting.appends).toBe(0);
    await world.time.sleep(60_000);
    expect(world.time.sleepers).toBeLessThanOrEqual(sleepers);
    stop();
    await world.at('us').execute(world.post('works again'));
  });

  it('R10 a hundred openings at once are one load, and none sees an empty document (PAINS 6)', async () => {
    open();
    await world.at('us').execute(world.post('hello'));
    world.region('us').processes[0]!.crash();
    world.start('us');
    const { faults } = world.region('us');
    let loads = 0;
    faults.inject((operation, when) => {
      if (operation === 'loadDocument' && when === 'before') loads++;
      return undefined;
    });
    const gate = faults.gate('loadDocument');
    const states = Array.from({ length: 100 }, async () => {
      const reader = await world
        .at('us')
        .join(SEGMENT, { update: () => undefined, dropped: () => undefined });
      return (await reader.read()).difference;
    });
    await gate.reached;
    gate.open();
    for (const state of await Promise.all(states)) {
      const doc = new Y.Doc();
      Y.applyUpdate(doc, state);
      expect(doc.getMap('m').size).toBe(1);
    }
    expect(loads).toBe(1);
  });

  it('R3 what is committed while a document loads is not missed', async () => {
    open(['us', 'eu']);
    await world.at('us').execute(world.post('one'));
    await world.until(async () => (await world.region('eu').store.loadDocument(SEGMENT)).length > 0, 'there');
    const gate = world.region('eu').faults.gate('loadDocument', 'after');
    const bodies = world.bodies('eu');
    await gate.reached;
    await world.at('us').execute(world.post('two'));
    await world.time.sleep(500);
    gate.open();
    await bodies;
    expect(await world.bodies('eu')).toEqual(['one', 'two']);
  });

  it('R10 leave under the budget, those used longest ago first, but not while somebody reads them (PAINS 10)', async () => {
    open();
    const watched = { dropped: 0 };
    const listener = { update: () => undefined, dropped: () => void watched.dropped++ };
    const { store } = world.region('us');
    const bytes = clientOf(1).type('x'.repeat(900 * KiB));
    for (let n = 0; n < 200; n++)
      await store.append([{ entry: { kind: 'update', name: canvasName(WORKSPACE, `c${n}`), bytes } }]);
    await world.at('us').join(canvasName(WORKSPACE, 'c0'), listener);
    for (let n = 0; n < 200; n++) await world.at('us').documents.open(canvasName(WORKSPACE, `c${n}`));
    const names = world.at('us').documents.names();
    expect(names.length).toBeLessThan(150);
    expect(names.length).toBeGreaterThan(120);
    expect(names).toContain(canvasName(WORKSPACE, 'c0'));
    expect(names).toContain(canvasName(WORKSPACE, 'c199'));
    expect(watched.dropped).toBe(0);
  });

  it('R10 a reader whose state vector is nonsense leaves nothing behind when it goes', async () => {
    open();
    await world.at('us').execute(world.post('x'));
    const reader = await world.at('us').join(SEGMENT, { update: () => undefined, dropped: () => undefined });
    await expect(reader.read(Uint8Array.of(255, 255))).rejects.toThrow();
    reader.close();
    expect((await world.at('us').documents.open(SEGMENT)).listeners.size).toBe(0);
  });
});

describe('a slow database', () => {
  it('R10 with commits of 12 s each document has one of them queued at most, however often it is written (PAINS 4)', async () => {
    open();
    const us = world.at('us');
    const names = Array.from({ length: 20 }, (_, n) => canvasName(WORKSPACE, `c${n}`));
    for (const name of names) await us.documents.open(name);
    const { store, faults } = world.region('us');
    faults.inject((operation, when) =>
      operation === 'append' && when === 'before' ? world.time.sleep(12_000) : undefined,
    );
    const underWay = new Map<string, number>();
    const appends: string[][] = [];
    const append = store.append.bind(store);
    store.append = async (rows) => {
      const written = [...new Set(rows.map(({ entry }) => nameOfEntry(entry)))];
      appends.push(written);
      for (const name of written) underWay.set(name, (underWay.get(name) ?? 0) + 1);
      expect(Math.max(...underWay.values())).toBe(1);
      const committed = await append(rows);
      for (const name of written) underWay.set(name, underWay.get(name)! - 1);
      return committed;
    };
    const began = world.time.now();
    const codes: Promise<string>[] = [];
    const clients = names.map((_, n) => clientOf(n + 1));
    // Forty edits of each document, one every 250 ms.
    for (let edit = 0; edit < 40; edit++) {
      for (const [n, name] of names.entries())
        codes.push(codeOf(us.writeCanvas(name, clients[n]!.type('x'), 'ada')));
      await world.time.sleep(250);
    }
    expect(new Set(await Promise.all(codes))).toEqual(new Set(['ok']));
    for (const name of names)
      expect(appends.filter((written) => written.includes(name)).length).toBeLessThanOrEqual(3);
    expect(appends.length).toBeLessThanOrEqual(6);
    expect(world.time.now() - began).toBeLessThanOrEqual(3 * 12_000 + 1_000);
    for (const name of names)
      expect(reencoded(await store.loadDocument(name)).doc.getText('t').length).toBe(40);
  });

  it('R10 queues at most 20,000 commands, and the rest is told to try again', async () => {
    open();
    await world.at('us').execute(world.post('warm'));
    const gate = world.region('us').faults.gate('append');
    const outcomes = Array.from({ length: 25_000 }, (_, n) =>
      codeOf(world.at('us').execute(world.post(`${n}`))),
    );
    await gate.reached;
    await turns();
    expect(world.at('us').waiting.appends).toBeLessThanOrEqual(20_000);
    gate.open(new Unavailable('gone'));
    const codes = Map.groupBy(await Promise.all(outcomes), (code) => code);
    expect(codes.get('not-committed')!.length).toBeGreaterThanOrEqual(5_000);
    expect([...codes.keys()].filter((code) => code !== 'ok' && code !== 'not-committed')).toEqual([]);
  });

  it('R10 queues at most 64 MiB', async () => {
    open();
    const live = await world.at('us').documents.open(CANVAS);
    expect(live.bytes).toBe(0);
    const gate = world.region('us').faults.gate('append');
    const first = codeOf(world.at('us').writeCanvas(CANVAS, clientOf(1).type('first'), 'ada'));
    await gate.reached;
    const bytes = clientOf(2).type('x'.repeat(500 * KiB));
    const outcomes = Array.from({ length: 200 }, () =>
      codeOf(world.at('us').writeCanvas(CANVAS, bytes, 'ada')),
    );
    await turns();
    gate.open();
    const codes = await Promise.all(outcomes);
    expect(await first).toBe('ok');
    expect(codes.filter((code) => code === 'not-committed').length).toBeGreaterThanOrEqual(60);
    expect(codes.filter((code) => code === 'ok').length).toBeGreaterThanOrEqual(128);
  });

  it('R10 a database that does not answer look-ups holds a bounded number of commands', async () => {
    open();
    const gate = world.region('us').faults.gate('copies');
    const outcomes = Array.from({ length: 21_000 }, (_, n) =>
      codeOf(world.at('us').execute(world.post(`${n}`))),
    );
    await gate.reached;
    const refused = await Promise.all(outcomes.slice(20_000));
    expect(new Set(refused)).toEqual(new Set(['not-committed']));
    gate.open(new Unavailable('gone'));
    await Promise.all(outcomes);
  });
});

describe('canvas updates that lack something', () => {
  it('R2 R8 wait outside, and are integrated, durable, told and attributed when it arrives from a peer', async () => {
    open(['us', 'eu']);
    const heard: Uint8Array[] = [];
    await world
      .at('eu')
      .join(CANVAS, { update: (bytes) => void heard.push(bytes), dropped: () => undefined });
    const client = clientOf(7);
    const [one, two, three] = [client.type('a'), client.type('b'), client.type('c')];
    world.cut('us', 'eu');
    await world.at('us').writeCanvas(CANVAS, one, 'ada');
    // The client moves on to the other region, which lacks what it wrote before.
    await world.at('eu').writeCanvas(CANVAS, two, 'ada');
    await world.at('eu').writeCanvas(CANVAS, three, 'ada');
    const live = await world.at('eu').documents.open(CANVAS);
    expect([live.doc.getText('t').toJSON(), live.doc.store.pendingStructs, heard]).toEqual(['', null, []]);
    expect(await textIn('eu')).toBe('');
    world.heal();
    for (const region of ['us', 'eu'])
      await world.until(async () => (await textIn(region)) === 'abc', `durable in ${region}`);
    const reader = new Y.Doc();
    for (const bytes of heard) Y.applyUpdate(reader, bytes);
    expect(reader.getText('t').toJSON()).toBe('abc');
  });

  it('R2 are attributed to who sent them, not to who brought what they lacked', async () => {
    open();
    const client = clientOf(7);
    const [one, two] = [client.type('a'), client.type('b')];
    await world.at('us').writeCanvas(CANVAS, two, 'bob');
    await world.at('us').writeCanvas(CANVAS, one, 'ada');
    await world.until(async () => (await textIn('us')) === 'ab', 'durable');
    const rows = world.network
      .broker('us')
      .stream.read(1, 100)
      .filter(({ name }) => name === CANVAS);
    const text = rows.map(({ bytes }) => Buffer.from(bytes).toString('latin1'));
    expect(text.map((row) => (row.includes('bob') ? 'bob' : row.includes('ada') ? 'ada' : '?'))).toEqual([
      'ada',
      'bob',
    ]);
  });

  it('R1 in any order they end in the whole text', async () => {
    open();
    const client = clientOf(7);
    const updates = Array.from({ length: 60 }, (_, n) => client.type(String.fromCharCode(65 + (n % 26))));
    for (let at = updates.length - 1; at > 0; at--) {
      const other = world.random.below(at + 1);
      [updates[at], updates[other]] = [updates[other]!, updates[at]!];
    }
    await Promise.all(updates.map((bytes) => world.at('us').writeCanvas(CANVAS, bytes, 'ada')));
    const whole = client.doc.getText('t').toJSON();
    await world.until(async () => (await textIn('us')) === whole, 'whole');
  });

  it('R10 too many of them are refused, those that wait already are kept', async () => {
    open();
    const client = clientOf(7);
    const first = client.type('first');
    const waiting = Array.from({ length: 8 }, () => client.type('x'.repeat(200 * KiB)));
    const codes: string[] = [];
    for (const bytes of waiting) codes.push(await codeOf(world.at('us').writeCanvas(CANVAS, bytes, 'ada')));
    expect(codes).toEqual([...Array(5).fill('ok'), ...Array(3).fill('not-here-yet')]);
    expect(await codeOf(world.at('us').writeCanvas(CANVAS, first, 'ada'))).toBe('ok');
    const length = 'first'.length + 5 * 200 * KiB;
    await world.until(async () => (await textIn('us')).length === length, 'those that were taken');
    const rows = await world.region('us').store.loadDocument(CANVAS);
    expect(Math.max(...rows.map((row) => row.length))).toBeLessThan(600 * KiB);
    for (const bytes of waiting)
      expect(await codeOf(world.at('us').writeCanvas(CANVAS, bytes, 'ada'))).toBe('ok');
    await world.until(
      async () => (await textIn('us')) === client.doc.getText('t').toJSON(),
      'the client has sent it again',
    );
  });

  it('R12 a segment cannot be written like a canvas, and nonsense is refused', async () => {
    open();
    const bytes = clientOf(1).type('x');
    expect(await codeOf(world.at('us').writeCanvas(SEGMENT, bytes, 'eve'))).toBe('read-only');
    expect(await codeOf(world.at('us').writeCanvas('nonsense', bytes, 'eve'))).toBe('read-only');
    expect(await codeOf(world.at('us').writeCanvas(CANVAS, Uint8Array.of(1, 2), 'eve'))).toBe(
      'malformed-frame',
    );
    expect(world.at('us').documents.size).toBe(0);
  });

  it('R8 mutated updates never make a document differ from its log', async () => {
    open();
    const client = clientOf(9);
    client.doc.getXmlFragment('x').insert(0, [new Y.XmlElement('p'), new Y.XmlText('abc')]);
    client.doc.getMap('m').set('n', new Y.Map());
    client.doc.getText('t').insert(0, 'hello world');
    client.doc.getText('t').delete(2, 3);
    const good = Y.encodeStateAsUpdate(client.doc);
    const { random } = world;
    const fates = new Map<string, number>();
    for (let n = 0; n < 1_500; n++) {
      const name = canvasName(WORKSPACE, `c${n % 20}`);
      const bad = good.slice();
      for (let changes = random.below(3); changes >= 0; changes--)
        bad[random.below(bad.length)] = random.below(256);
      const code = await codeOf(world.at('us').writeCanvas(name, bad, 'eve'));
      fates.set(code, (fates.get(code) ?? 0) + 1);
    }
    expect([...fates.keys()].sort()).toEqual(['invalid-request', 'malformed-frame', 'ok']);
    for (let n = 0; n < 20; n++) {
      const name = canvasName(WORKSPACE, `c${n}`);
      const live = await world.at('us').documents.open(name);
      const log = reencoded(await world.region('us').store.loadDocument(name)).bytes;
      expect(reencoded([Y.encodeStateAsUpdate(live.doc)]).bytes, name).toBe(log);
    }
  });
});

it('R10 cells of many members in use do not grow without bound', async () => {
  open();
  for (let n = 0; n < 6_000; n++) await world.at('us').cells.open(memberScope(WORKSPACE, `m${n}`));
  expect(world.at('us').cells.scopes().length).toBeLessThanOrEqual(4_096);
});
