/* The write path, point by point, each with the failure that it is about: one list. */
import { canvasName, channelScope, messageScope, segmentName, type Ack } from '@causeway/protocol';
import { Doubtful, Refused, Unavailable } from '@causeway/replica';
import { afterEach, describe, expect, it } from 'vitest';
import * as Y from 'yjs';
import { CHANNEL, WORKSPACE, World, idOf, outcomeOf, turns } from './world.ts';

const SEGMENT = segmentName(WORKSPACE, CHANNEL, 1);
const CANVAS = canvasName(WORKSPACE, 'plan');

let world: World;
const open = (regions = ['us', 'eu']): World => (world = new World({ regions }));
afterEach(() => world.close());

/** Records what a subscriber of a document hears. */
function listen(document = SEGMENT) {
  const heard = { updates: 0, dropped: 0 };
  const listener = { update: () => void heard.updates++, dropped: () => void heard.dropped++ };
  return { heard, listener, join: () => world.at('us').join(document, listener) };
}

const published = (region = 'us'): string[] =>
  world.network
    .broker(region)
    .stream.read(1, 10_000)
    .map(({ name }) => name)
    .filter((name) => name !== '-/heartbeat');

/** A canvas update that inserts `text` into an empty text. */
function typed(text: string): Uint8Array {
  const doc = new Y.Doc();
  doc.getText('t').insert(0, text);
  return Y.encodeStateAsUpdate(doc);
}

describe('an acknowledgement', () => {
  it('R2 comes after the commit, and nobody hears, reads or receives anything before', async () => {
    open();
    const { heard, join } = listen();
    await join();
    const { faults } = world.region('us');
    const gate = faults.gate('append');
    let acked: Ack | string | undefined;
    void outcomeOf(world.at('us').execute(world.post('hello'))).then((ack) => (acked = ack));
    await gate.reached;
    await world.time.sleep(5_000);
    expect([acked, heard.updates, published()]).toEqual([undefined, 0, []]);
    gate.open();
    await world.until(() => acked !== undefined, 'acked');
    expect(acked).toMatchObject({ level: 'region' });
    expect(heard.updates).toBe(1);
    await world.until(async () => (await world.bodies('eu')).length === 1, 'in eu');
  });

  it('R2 a token says where the write is, in every region that has it', async () => {
    open();
    const ack = await world.at('us').execute(world.post('hello'));
    await world.until(async () => (await world.bodies('eu')).length === 1, 'in eu');
    const [place] = ack.token;
    if (place === undefined || !('document' in place)) throw new Error('a token of a document');
    for (const region of ['us', 'eu']) {
      const live = await world.at(region).documents.open(place.document);
      expect(Y.getState(live.doc.store, place.client)).toBeGreaterThanOrEqual(place.clock);
    }
  });
});

describe('group commit', () => {
  it('R2 what waits while a commit is in flight goes into the next one, in its order', async () => {
    open();
    const { faults } = world.region('us');
    await world.at('us').execute(world.post('zero'));
    let appends = 0;
    faults.inject((operation, when) => {
      if (operation === 'append' && when === 'before') appends++;
      return undefined;
    });
    const gate = faults.gate('append');
    const first = world.at('us').execute(world.post('first'));
    await gate.reached;
    const rest = Array.from({ length: 100 }, (_, n) => world.at('us').execute(world.post(`n${n}`)));
    await turns();
    expect(appends).toBe(1);
    gate.open();
    await Promise.all([first, ...rest]);
    expect(appends).toBe(2);
    expect(await world.bodies('us')).toEqual([
      'zero',
      'first',
      ...Array.from({ length: 100 }, (_, n) => `n${n}`),
    ]);
  });

  it('R8 a document is on one connection at a time while others go on', async () => {
    open();
    const under = new Map<string, number>();
    let overlap = 0;
    const { store } = world.region('us');
    const append = store.append.bind(store);
    store.append = async (rows) => {
      const names = new Set(rows.map(({ entry }) => (entry.kind === 'update' ? entry.name : entry.scope)));
      for (const name of names) under.set(name, (under.get(name) ?? 0) + 1);
      overlap = Math.max(overlap, ...[...names].filter((n) => n !== SCOPE).map((name) => under.get(name)!));
      await world.time.sleep(10);
      const result = await append(rows);
      for (const name of names) under.set(name, under.get(name)! - 1);
      return result;
    };
    const SCOPE = `${WORKSPACE}/channel/${CHANNEL}`;
    await Promise.all(
      Array.from({ length: 60 }, async (_, n) => {
        await world.time.sleep(n * 3);
        if (n % 2 === 0) await world.at('us').execute(world.post(`p${n}`));
        else await world.at('us').writeCanvas(`${CANVAS}${n % 4}`, typed(`c${n}`), 'ada');
      }),
    );
    expect(overlap).toBe(1);
  });

  it('R10 a busy document does not starve a quiet one', async () => {
    open(['us']);
    const { store } = world.region('us');
    const append = store.append.bind(store);
    store.append = async (rows) => {
      await world.time.sleep(10);
      return append(rows);
    };
    const topics = (channel: string, count: number) =>
      Array.from({ length: count }, (_, n) =>
        world.at('us').execute({
          kind: 'topic',
          workspace: WORKSPACE,
          channel,
          member: 'ada',
          nonce: world.nonce(),
          topic: `${n}`,
          v: world.v() + n,
        }),
      );
    const startedAt = world.time.now();
    const busy = ['one', 'two', 'three'].flatMap((channel) => topics(channel, 2_000));
    await topics('quiet', 1)[0];
    // A commit takes 10 ms and there are two lanes; twelve full batches were there before it.
    expect(world.time.now() - startedAt).toBeLessThanOrEqual(30);
    await Promise.all(busy);
  });
});

/** Starts a post whose commit is held, runs `more` behind it, then fails the commit. */
async function behindAFailure<T>(more: (post: ReturnType<World['post']>) => Promise<T>, error: Error) {
  open();
  await world.at('us').execute(world.post('before'));
  const gate = world.region('us').faults.gate('append');
  const post = world.post('lost');
  const first = outcomeOf(world.at('us').execute(post));
  await gate.reached;
  const behind = more(post).catch((failure: { code?: string }) => failure.code);
  await turns();
  gate.open(error);
  return { first: await first, behind: await behind };
}
const failure = new Unavailable('shutting down');

describe('an answer that depends on what is not committed yet', () => {
  it('R2 a repeat shares the fate of the first', async () => {
    const { first, behind } = await behindAFailure((post) => world.at('us').execute(post), failure);
    expect([first, behind]).toEqual(['not-committed', 'not-committed']);
    expect(await world.bodies('us')).toEqual(['before']);
  });

  it('R2 a refusal shares the fate of what it refers to', async () => {
    open();
    const post = world.post('mine');
    await world.at('us').execute(post);
    const gate = world.region('us').faults.gate('append');
    const removal = outcomeOf(world.at('us').execute(world.remove(idOf(post))));
    await gate.reached;
    const edit = outcomeOf(world.at('us').execute(world.edit(idOf(post), 'changed', world.v())));
    await turns();
    gate.open(failure);
    expect([await removal, await edit]).toEqual(['not-committed', 'not-committed']);
    expect(
      await outcomeOf(world.at('us').execute(world.edit(idOf(post), 'changed', world.v()))),
    ).toMatchObject({ level: 'region' });
    expect(await world.bodies('us')).toEqual(['changed']);
  });

  it('R2 a refusal is given when what it refers to is committed', async () => {
    open();
    const post = world.post('mine');
    await world.at('us').execute(post);
    const gate = world.region('us').faults.gate('append');
    const removal = world.at('us').execute(world.remove(idOf(post)));
    await gate.reached;
    const edit = outcomeOf(world.at('us').execute(world.edit(idOf(post), 'changed', world.v())));
    await turns();
    gate.open();
    await removal;
    expect(await edit).toBe('gone');
  });

  it('R2 a joining reader gets its state after the commit, or the failure', async () => {
    const { behind } = await behindAFailure(async () => {
      const reader = await listen().join();
      return reader.read();
    }, failure);
    expect(behind).toBe('not-committed');
  });

  it('R2 a reader whose document was dropped is not shown what failed', async () => {
    open();
    await world.at('us').execute(world.post('before'));
    const { heard, join } = listen();
    const reader = await join();
    world.region('us').faults.failNext('append', 'before', failure);
    expect(await outcomeOf(world.at('us').execute(world.post('lost')))).toBe('not-committed');
    expect(heard).toEqual({ updates: 0, dropped: 1 });
    await expect(reader.read()).rejects.toMatchObject({ code: 'not-committed' });
  });

  it('R2 history shows what is committed only', async () => {
    const { behind } = await behindAFailure(() => world.bodies('us'), failure);
    expect(behind).toEqual(['before']);
    expect(await world.bodies('us')).toEqual(['before']);
  });

  it('R2 what wrote nothing neither waits for nor fails with the documents that share its batch', async () => {
    open();
    const post = world.post('here');
    await world.at('us').execute(post);
    const { heard, join } = listen();
    await join();
    const { store, faults } = world.region('us');
    const append = store.append.bind(store);
    store.append = (rows) =>
      rows.some(({ index }) => index?.channel.endsWith('/third') === true)
        ? Promise.reject(failure)
        : append(rows);
    // While both lanes are held the two below meet in the next batch.
    const gate = faults.gate('append');
    const held = ['first', 'second'].map((channel) => world.at('us').execute(world.post('x', { channel })));
    await gate.reached;
    const repeat = world.at('us').execute(post);
    const elsewhere = outcomeOf(world.at('us').execute(world.post('x', { channel: 'third' })));
    await turns();
    gate.open();
    await Promise.all(held);
    expect((await repeat).id).toBe(idOf(post));
    expect(await elsewhere).toBe('not-committed');
    expect(heard.dropped).toBe(0);
  });
});

describe('a commit that fails or stays unanswered', () => {
  for (const [name, when, error] of [
    ['failed', 'before', new Unavailable('deadlock')],
    ['doubtful', 'after', new Doubtful('connection lost')],
  ] as const)
    it(`R8 ${name}: takes with it what waits behind, drops the document, tells listeners, changes the clientID`, async () => {
      open(['us']);
      const before = await world.at('us').execute(world.post('before'));
      const { heard, join } = listen();
      await join();
      const { faults } = world.region('us');
      const gate = faults.gate('append', when);
      const first = outcomeOf(world.at('us').execute(world.post('first')));
      await gate.reached;
      const behind = [1, 2, 3].map((n) => outcomeOf(world.at('us').execute(world.post(`behind ${n}`))));
      await turns();
      gate.open(error);
      expect([await first, ...(await Promise.all(behind))]).toEqual(Array(4).fill('not-committed'));
      expect(heard).toEqual({ updates: 0, dropped: 1 });
      const after = await world.at('us').execute(world.post('after'));
      const clients = [before, after].map(({ token }) => (token[0] as { client: number }).client);
      expect(clients[0]).not.toBe(clients[1]);
      expect(await world.bodies('us')).toEqual(
        name === 'failed' ? ['before', 'after'] : ['before', 'first', 'after'],
      );
    });

  it('R4 a doubtful commit that lands later and its retry are one message, the same everywhere', async () => {
    open();
    const { store, faults } = world.region('us');
    const append = store.append.bind(store);
    let late: Promise<unknown> = Promise.resolve();
    // The connection breaks; the transaction commits three seconds later all the same.
    store.append = (rows) => {
      store.append = append;
      late = world.time.sleep(3_000).then(() => append(rows));
      return Promise.reject(new Doubtful('no answer'));
    };
    const post = world.post('once');
    expect(await outcomeOf(world.at('us').execute(post))).toBe('not-committed');
    await world.at('us').execute(post);
    await late;
    const edit = world.edit(idOf(post), 'edited', world.v());
    await world.at('us').execute(edit);
    faults.clear();
    for (const region of ['us', 'eu'])
      await world.until(async () => (await world.bodies(region)).join() === 'edited', `one in ${region}`);
    await world.until(async () => {
      const [us, eu] = await Promise.all(['us', 'eu'].map((region) => world.messages(region)));
      return JSON.stringify(us) === JSON.stringify(eu);
    }, 'the same in both');
  });

  it('R2 a reader hears of a doubtful commit that landed after all', async () => {
    open(['us']);
    await world.at('us').execute(world.post('before'));
    world.region('us').faults.failNext('append', 'after', new Doubtful('no answer'));
    expect(await outcomeOf(world.at('us').execute(world.post('landed')))).toBe('not-committed');
    await world.until(async () => (await world.bodies('us')).length === 2, 'landed');
  });

  it('R4 a doubtful reaction, edit and delete can be sent again', async () => {
    open();
    const post = world.post('text');
    await world.at('us').execute(post);
    const { faults } = world.region('us');
    const id = idOf(post);
    for (const command of [world.react(id, true, world.v()), world.edit(id, 'edited', world.v())]) {
      faults.failNext('append', 'after', new Doubtful('no answer'));
      expect(await outcomeOf(world.at('us').execute(command))).toBe('not-committed');
      expect(await world.at('us').execute(command)).toMatchObject({ level: 'region' });
    }
    const [message] = await world.messages('us');
    expect(message).toMatchObject({ body: 'edited', reactions: { '👍': ['bob'] } });
    const removal = world.remove(id);
    faults.failNext('append', 'after', new Doubtful('no answer'));
    expect(await outcomeOf(world.at('us').execute(removal))).toBe('not-committed');
    expect(await world.at('us').execute(removal)).toMatchObject({ level: 'region' });
    await world.until(async () => (await world.bodies('eu')).length === 0, 'deleted in eu');
  });
});

/** Refuses every append with a row that `isBad` finds bad. */
function refuse(isBad: (text: string) => boolean): void {
  const { store } = world.region('us');
  const append = store.append.bind(store);
  store.append = async (rows) => {
    const bad = rows.some(
      ({ entry }) => entry.kind === 'update' && isBad(new TextDecoder('latin1').decode(entry.bytes)),
    );
    if (bad) throw new Refused('not storable');
    return append(rows);
  };
}

describe('a batch that is refused for its data', () => {
  it('R2 is retried one by one: only the bad one fails, and the others are really stored', async () => {
    open();
    await world.at('us').execute(world.post('before'));
    refuse((text) => text.includes('poison'));
    const gate = world.region('us').faults.gate('append');
    const held = world.at('us').execute(world.post('held'));
    await gate.reached;
    const commands = ['one', 'poison', 'two', 'poison too', 'three'].map((body) => world.post(body));
    const elsewhere = world.post('elsewhere', { channel: 'other' });
    const outcomes = [...commands, elsewhere].map((command) => outcomeOf(world.at('us').execute(command)));
    await turns();
    gate.open();
    await held;
    const ok = expect.objectContaining({ level: 'region' });
    expect(await Promise.all(outcomes)).toEqual([ok, 'invalid-request', ok, 'invalid-request', ok, ok]);
    world.region('us').processes[0]!.crash();
    world.start('us');
    const stored = ['before', 'held', 'one', 'three', 'two'];
    expect((await world.bodies('us')).sort()).toEqual(stored);
    await world.until(async () => (await world.bodies('eu')).length === 5, 'all in eu');
  });

  it('R2 the segment that it opened is made known by the posts that are tried again', async () => {
    open();
    refuse((text) => text.includes('poison'));
    const outcomes = ['poison', 'one'].map((body) => outcomeOf(world.at('us').execute(world.post(body))));
    await Promise.all(outcomes);
    const cells = await world.region('us').store.loadCells([channelScope(WORKSPACE, CHANNEL)]);
    expect(cells).toEqual([expect.objectContaining({ key: 'top|us', value: 1 })]);
  });

  it('R10 cells of a channel called segment are tried again as cells, not loaded as a document', async () => {
    open();
    const channel = 'segment';
    const post = world.post('hello', { channel });
    await world.at('us').execute(post);
    const { store } = world.region('us');
    const append = store.append.bind(store);
    let refused = false;
    store.append = (rows) => {
      if (refused) return append(rows);
      refused = true;
      return Promise.reject(new Refused('not storable'));
    };
    const reactions = ['ada', 'bob'].map((member) => ({
      ...world.react(idOf(post), true, world.v(), member),
      channel,
    }));
    const ok = expect.objectContaining({ level: 'region' });
    expect(await Promise.all(reactions.map((command) => outcomeOf(world.at('us').execute(command))))).toEqual(
      [ok, ok],
    );
    expect(world.at('us').documents.names()).toEqual([segmentName(WORKSPACE, channel, 1)]);
  });

  it('R2 what waited behind it is not lost either', async () => {
    open();
    await world.at('us').execute(world.post('before'));
    refuse((text) => text.includes('poison'));
    const gate = world.region('us').faults.gate('append');
    const bad = outcomeOf(world.at('us').execute(world.post('poison')));
    // Held inside the wrapped append's inner call would never be reached: it is refused at once.
    const behind = ['one', 'two'].map((body) => outcomeOf(world.at('us').execute(world.post(body))));
    gate.open();
    const ok = expect.objectContaining({ level: 'region' });
    expect([await bad, ...(await Promise.all(behind))]).toEqual(['invalid-request', ok, ok]);
    expect((await world.bodies('us')).sort()).toEqual(['before', 'one', 'two']);
  });

  it('R10 Yjs that fails at the end of a transaction fails that write, and stops nothing else', async () => {
    open();
    const live = await world.at('us').documents.open(SEGMENT);
    live.doc.once('afterTransaction', () => {
      throw new Error('broken inside');
    });
    expect(await outcomeOf(world.at('us').execute(world.post('one')))).toContain('broken inside');
    expect(await outcomeOf(world.at('us').execute(world.post('two')))).not.toBeTypeOf('string');
    expect(await world.bodies('us')).toEqual(['two']);
  });

  it('R2 a canvas update that Yjs chokes on is refused, and the others in its batch are stored', async () => {
    open();
    const choking = chokingUpdate();
    const good = ['a', 'b', 'c'].map((text) => typed(text));
    const outcomes = [good[0]!, choking, good[1]!, good[2]!].map((bytes) =>
      world
        .at('us')
        .writeCanvas(CANVAS, bytes, 'ada')
        .then(
          () => 'ok',
          (error: { code?: string }) => error.code ?? 'unexpected',
        ),
    );
    expect(await Promise.all(outcomes)).toEqual(['ok', 'invalid-request', 'ok', 'ok']);
    const live = await world.at('us').documents.open(CANVAS);
    const text = live.doc.getText('t').toJSON();
    expect([...text].sort().join('')).toBe('abc');
    const rows = await world.region('us').store.loadDocument(CANVAS);
    const replay = new Y.Doc();
    for (const row of rows) Y.applyUpdate(replay, row);
    expect(replay.getText('t').toJSON()).toBe(text);
  });
});

/** An update that decodes, and throws in the middle of its integration. */
function chokingUpdate(): Uint8Array {
  const client = new Y.Doc();
  client.getXmlFragment('x').insert(0, [new Y.XmlElement('p'), new Y.XmlText('abc')]);
  client.getMap('m').set('k', { a: 1 });
  const bytes = Y.encodeStateAsUpdate(client);
  for (let at = 0; at < bytes.length; at++)
    for (let value = 0; value < 256; value++) {
      const bad = bytes.slice();
      bad[at] = value;
      try {
        Y.decodeUpdate(bad);
      } catch {
        continue;
      }
      try {
        Y.applyUpdate(new Y.Doc(), bad);
      } catch {
        return bad;
      }
    }
  throw new Error('no such update: Yjs has become more careful');
}

describe('what is acknowledged rests in the database alone', () => {
  it('R2 every process killed after each acknowledgement, brokers emptied and views built anew: all of it is there (PAINS 13)', async () => {
    open();
    const restart = (): void => {
      for (const { name, processes } of world.regions) {
        for (const process of processes) process.crash();
        world.network.wipe(name);
        world.start(name);
      }
    };
    const kept = world.post('kept');
    const edited = world.post('first');
    const deleted = world.post('deleted');
    const on = { workspace: WORKSPACE, channel: CHANNEL, member: 'ada' } as const;
    const commands = [
      kept,
      edited,
      deleted,
      world.edit(idOf(edited), 'last', world.v()),
      world.remove(idOf(deleted)),
      world.react(idOf(kept), true, world.v()),
      { kind: 'topic', ...on, nonce: world.nonce(), topic: 'the topic', v: world.v() } as const,
    ];
    for (const command of commands) {
      await world.at('us').execute(command);
      restart();
    }
    await world.at('us').writeCanvas(CANVAS, typed('drawn'), 'ada');
    restart();
    await world.region('us').store.rebuildViews();
    const scopes = [messageScope(WORKSPACE, CHANNEL, idOf(kept)), channelScope(WORKSPACE, CHANNEL)];
    for (const region of ['us', 'eu']) {
      const { store } = world.region(region);
      await world.until(
        async () =>
          (await world.bodies(region)).join() === 'kept,last' &&
          (await store.loadDocument(CANVAS)).length > 0 &&
          JSON.stringify(await store.loadCells(scopes)).includes('the topic'),
        `all of it in ${region}`,
      );
      const doc = new Y.Doc();
      for (const bytes of await store.loadDocument(CANVAS)) Y.applyUpdate(doc, bytes);
      expect(doc.getText('t').toJSON()).toBe('drawn');
      expect((await world.messages(region)).find(({ id }) => id === idOf(kept))?.reactions).toEqual({
        '👍': ['bob'],
      });
    }
  });
});

describe('publication', () => {
  it('R3 a crash between commit and publish loses nothing: the sweep publishes what was left', async () => {
    open();
    world.network.stop('us');
    await world.at('us').execute(world.post('left behind'));
    world.region('us').processes[0]!.crash();
    world.network.start('us');
    expect(published()).toEqual([]);
    world.start('us');
    await world.until(async () => (await world.bodies('eu')).join() === 'left behind', 'in eu');
    await world.until(async () => (await outbox('us')) === 0, 'outbox empty');
  });

  it('R3 a lost answer of the broker repeats a message and changes nothing', async () => {
    open();
    await world.time.sleep(2_000);
    world.network.broker('us').acksToLose = 3;
    await world.at('us').execute(world.post('one'));
    await world.at('us').execute(world.post('two'));
    await world.until(async () => (await world.bodies('eu')).join() === 'one,two', 'in eu');
    await world.until(async () => (await outbox('us')) === 0, 'outbox empty');
  });

  it('R3 a process publishes what another one of its region left', async () => {
    open();
    world.start('us');
    await world.time.sleep(1_000);
    const [first, second] = world.region('us').processes;
    world.network.stop('us');
    await first!.replica.execute(world.post('left behind'));
    first!.crash();
    world.network.start('us');
    await world.until(async () => (await world.bodies('eu')).join() === 'left behind', 'in eu');
    expect(second!.replica.waiting.publishes).toBe(0);
  });

  it('R5 without its broker a region goes on, and catches up by itself when it is back (PAINS 5)', async () => {
    open();
    world.network.stop('us');
    await Promise.all(Array.from({ length: 200 }, (_, n) => world.at('us').execute(world.post(`${n}`))));
    expect(await world.bodies('us')).toHaveLength(200);
    await world.time.sleep(10_000);
    world.network.start('us');
    await world.until(async () => (await world.bodies('eu')).length === 200, 'in eu');
    expect(await world.bodies('eu')).toEqual(await world.bodies('us'));
  });

  it('R3 rows leave the outbox although the database failed to forget them at first', async () => {
    open();
    const { faults } = world.region('us');
    faults.failNext('published', 'before', new Unavailable('busy'));
    await world.at('us').execute(world.post('one'));
    await world.until(async () => (await outbox('us')) === 0, 'outbox empty', 10_000);
  });

  it('R3 drained means that everything committed is in the stream', async () => {
    open();
    await Promise.all(Array.from({ length: 500 }, (_, n) => world.at('us').execute(world.post(`${n}`))));
    await world.at('us').drained(AbortSignal.timeout(10_000));
    expect(await outbox('us')).toBe(0);
  });

  it('R10 no row is too large for the broker, whatever the script of the texts', async () => {
    open(['us']);
    const body = '海'.repeat(40_000);
    const post = world.post(body);
    await world.at('us').execute(post);
    const edits = Array.from({ length: 40 }, (_, n) => world.edit(idOf(post), body, world.v() + n));
    await Promise.all(edits.map((edit) => world.at('us').execute(edit)));
    const rows = await world.region('us').store.unpublished({ olderThanMs: 0, limit: 1_000 });
    const largest = Math.max(
      ...rows.map(({ entry }) => (entry.kind === 'update' ? entry.bytes.length : 0)),
      ...world.network
        .broker('us')
        .stream.read(1, 1_000)
        .map(({ bytes }) => bytes.length),
    );
    expect(largest).toBeLessThan(1_000_000);
  });
});

const outbox = async (region: string): Promise<number> =>
  (await world.region(region).store.unpublished({ olderThanMs: 0, limit: 10_000 })).length;

it('R4 a reaction is answered from what is committed', async () => {
  open();
  const post = world.post('text');
  await world.at('us').execute(post);
  const on = world.react(idOf(post), true, world.v());
  await world.at('us').execute(on);
  const scope = messageScope(WORKSPACE, CHANNEL, idOf(post));
  const before = await world.region('us').store.loadCells([scope]);
  await world.at('us').execute(on);
  expect(await world.region('us').store.loadCells([scope])).toEqual(before);
});
