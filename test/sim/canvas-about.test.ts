/* Titles, rights and versions of canvases; what a restore does to every kind of content. */
import {
  CausewayError,
  LIMITS,
  aboutScope,
  canvasName,
  versionName,
  type CanvasVersion,
  type Command,
  type Right,
} from '@causeway/protocol';
import { Doubtful, Unavailable, type Founding, type Replica } from '@causeway/replica';
import * as fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import * as Y from 'yjs';
import { WORKSPACE, World, idOf, outcomeOf } from './world.ts';

const OK = expect.objectContaining({ level: 'region' });
const HOME = 'eu';
const founding: Founding = { id: WORKSPACE, home: HOME, admins: ['ada'], channels: [] };

let world: World;
let canvas: string;
let name: string;
afterEach(() => world.close());

/** A canvas of ada's, in both regions. */
async function open(processes = 1): Promise<void> {
  world = new World({ regions: [HOME, 'us'], workspaces: [founding], processes });
  const command: Command = { kind: 'canvas', ...frame(), title: 'Plan', v: world.v() };
  expect(await at(HOME, command)).toEqual(OK);
  canvas = idOf(command);
  name = canvasName(WORKSPACE, canvas);
  await world.time.sleep(1_000);
}

const frame = (member = 'ada') => ({ workspace: WORKSPACE, member, nonce: world.nonce() });
const at = (region: string, command: Command) => outcomeOf(world.at(region).execute(command));
const share = (to: string, right: Right, ahead = 0, member = 'ada'): Command => ({
  kind: 'share',
  ...frame(member),
  canvas,
  to,
  right,
  v: world.v(ahead),
});
const keep = (title = 'Kept', member = 'ada'): Command => ({
  kind: 'version',
  ...frame(member),
  canvas,
  title,
  v: world.v(),
});
const restore = (version: string, member = 'ada'): Command => ({
  kind: 'restore',
  ...frame(member),
  canvas,
  version,
  v: world.v(),
});

async function docOf(region: string, of = name): Promise<Y.Doc> {
  const doc = new Y.Doc();
  for (const row of await world.region(region).store.loadDocument(of)) Y.applyUpdate(doc, row);
  return doc;
}
const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'ok',
    (error: unknown) => (error instanceof CausewayError ? error.code : String(error)),
  );

/** Changes the canvas as a client in that region would. */
async function change(
  region: string,
  edit: (doc: Y.Doc) => void,
  member = 'ada',
  replica?: Replica,
): Promise<string> {
  const doc = await docOf(region);
  const before = Y.encodeStateVector(doc);
  doc.transact(() => edit(doc));
  const update = Y.encodeStateAsUpdate(doc, before);
  return codeOf((replica ?? world.at(region)).writeCanvas(name, update, member));
}
const type = (region: string, text: string, member?: string): Promise<string> =>
  change(region, (doc) => doc.getText('t').insert(doc.getText('t').length, text), member);
const textIn = async (region: string, of = name): Promise<string> =>
  (await docOf(region, of)).getText('t').toJSON();
async function everywhere(text: string): Promise<void> {
  for (const region of [HOME, 'us'])
    await world
      .until(async () => (await textIn(region)) === text, `${text} in ${region}`, 20_000)
      .catch(() => undefined);
  await world.time.sleep(1_000);
  expect([await textIn(HOME), await textIn('us')]).toEqual([text, text]);
}

/** A reader's session: what it was told. */
async function session(
  region: string,
  member: string,
  of = name,
): Promise<{ ended: (CausewayError | undefined)[] }> {
  const ended: (CausewayError | undefined)[] = [];
  await world
    .at(region)
    .join(of, { update: () => undefined, dropped: (why) => void ended.push(why) }, member);
  return { ended };
}

describe('rights to a canvas', () => {
  it('R12 everybody edits, until its author says otherwise; who may only see may say what they hold', async () => {
    await open();
    expect(await type('us', 'one', 'ben')).toBe('ok');
    await everywhere('one');
    expect(await at('us', share('*', 'view', 0, 'ben'))).toBe('forbidden');
    expect(await at('us', share('*', 'view'))).toEqual(OK);
    expect(await at('us', share('cem', 'edit'))).toEqual(OK);
    await world.time.sleep(1_000);
    for (const region of [HOME, 'us']) {
      expect(await type(region, '!', 'ben')).toBe('forbidden');
      expect(await at(region, { kind: 'retitle', ...frame('ben'), canvas, title: 'x', v: world.v() })).toBe(
        'forbidden',
      );
      expect(await at(region, keep('x', 'ben'))).toBe('forbidden');
      const all = Y.encodeStateAsUpdate(await docOf(region));
      expect(await codeOf(world.at(region).writeCanvas(name, all, 'ben'))).toBe('ok');
      expect(await type(region, '.', 'cem')).toBe('ok');
      expect(await type(region, '.', 'ada')).toBe('ok');
      expect((await session(region, 'ben')).ended).toEqual([]);
    }
  });

  it('R12 a right that is taken away ends open sessions, and lets nobody in; versions too', async () => {
    await open();
    await type(HOME, 'one');
    const kept = keep();
    await at(HOME, kept);
    await world.time.sleep(1_000);
    const version = versionName(WORKSPACE, canvas, idOf(kept));
    const [ben, old, ada] = [
      await session('us', 'ben'),
      await session('us', 'ben', version),
      await session('us', 'ada'),
    ];
    expect(await at(HOME, share('ben', 'none'))).toEqual(OK);
    await world.until(() => ben.ended.length > 0 && old.ended.length > 0, 'ended', 1_000);
    expect([ben, old, ada].map(({ ended }) => ended[0]?.code)).toEqual(['forbidden', 'forbidden', undefined]);
    for (const of of [name, version]) expect(await codeOf(session('us', 'ben', of))).toBe('forbidden');
    await at(HOME, share('ben', 'view', 1));
    await world.time.sleep(1_000);
    expect((await session('us', 'ben')).ended).toEqual([]);
  });

  it('R12 hold where a region heard of them before it heard who made the canvas', async () => {
    world = new World({ regions: [HOME, 'us', 'ap'], workspaces: [founding] });
    await world.time.sleep(1_000);
    world.cut(HOME, 'ap');
    const command: Command = { kind: 'canvas', ...frame(), title: 'Plan', v: world.v() };
    expect(await at(HOME, command)).toEqual(OK);
    canvas = idOf(command);
    name = canvasName(WORKSPACE, canvas);
    await world.time.sleep(1_000);
    for (const to of ['*', 'cem']) await at('us', share(to, to === '*' ? 'none' : 'edit'));
    await world.time.sleep(1_000);
    const { replica } = world.region('ap').processes[0]!;
    expect(await replica.rights.author(WORKSPACE, canvas)).toBeUndefined();
    expect(await codeOf(session('ap', 'ben'))).toBe('forbidden');
    expect(await type('ap', '!', 'ben')).toBe('forbidden');
    expect(await type('ap', 'from cem', 'cem')).toBe('ok');
    let looks = 0;
    replica.rights.watch(name, () => void looks++);
    world.heal();
    await world.until(() => looks > 0, 'its author is known');
    expect(await replica.rights.of(WORKSPACE, canvas, 'ada')).toBe('edit');
    expect(await type('ap', '.', 'ada')).toBe('ok');
  });

  it('R5 a region that has not heard of it goes on by the old right, and what was written there stays', async () => {
    await open();
    world.cut(HOME, 'us');
    await at(HOME, share('*', 'view'));
    expect(await type('us', 'meanwhile', 'ben')).toBe('ok');
    world.heal();
    await everywhere('meanwhile');
    expect(await type('us', '!', 'ben')).toBe('forbidden');
  });

  it('R4 of a canvas that is not here yet cannot be given yet; R10 there are so many', async () => {
    await open();
    expect(await at('us', { ...share('ben', 'view'), canvas: 'elsewhere' } as Command)).toBe('not-here-yet');
    const all = Array.from({ length: LIMITS.rightsPerCanvas + 1 }, (_, n) => share(`m${n}`, 'view'));
    const outcomes = await Promise.all(all.map((command) => at('us', command)));
    expect(outcomes.filter((outcome) => outcome === 'too-many')).toHaveLength(1);
  });
});

describe('a version of a canvas', () => {
  it('R2 R3 that is under way makes nobody believe what failed beside it', async () => {
    await open();
    const { faults, store } = world.region(HOME);
    const { promise: opened, resolve: letThrough } = Promise.withResolvers<void>();
    let appends = 0;
    faults.inject((operation, when) => {
      if (operation !== 'append' || when !== 'before') return undefined;
      appends++;
      if (appends === 1) return opened;
      return appends === 2 ? Promise.reject(new Unavailable('away')) : undefined;
    });
    const keeping = at(HOME, keep());
    await world.until(() => appends === 1, 'under way');
    const command = share('ben', 'none');
    expect(await at(HOME, command)).toBe('not-committed');
    expect(await at(HOME, command)).toEqual(OK);
    const cells = await store.loadCells([aboutScope(WORKSPACE, canvas)]);
    expect(cells.map(({ key, value }) => [key, value])).toEqual([['right|ben', 'none']]);
    letThrough();
    expect(await keeping).toEqual(OK);
  });

  it('R1 is the whole copy, read-only, in every region, whatever is written later', async () => {
    await open();
    await type(HOME, 'as it was');
    const kept = keep('Draft 1');
    expect(await at(HOME, kept)).toEqual(OK);
    await type(HOME, ', and more');
    await everywhere('as it was, and more');
    const version = versionName(WORKSPACE, canvas, idOf(kept));
    for (const region of [HOME, 'us']) {
      expect(await textIn(region, version)).toBe('as it was');
      const bytes = Y.encodeStateAsUpdate(await docOf(region));
      expect(await codeOf(world.at(region).writeCanvas(version, bytes, 'ada'))).toBe('read-only');
      const [cell] = (await world.region(region).store.loadCells([aboutScope(WORKSPACE, canvas)])).map(
        ({ value }) => value,
      );
      expect(cell).toMatchObject({ title: 'Draft 1', by: 'ada' } satisfies Partial<CanvasVersion>);
    }
  });

  it('R4 asked of two cut regions is one, with what either held', async () => {
    await open();
    await type(HOME, 'common');
    await everywhere('common');
    world.cut(HOME, 'us');
    await type(HOME, ' home');
    await type('us', ' us');
    const kept = keep();
    for (const region of [HOME, 'us']) expect(await at(region, kept)).toEqual(OK);
    world.heal();
    await world.time.sleep(5_000);
    const version = versionName(WORKSPACE, canvas, idOf(kept));
    const texts = [await textIn(HOME, version), await textIn('us', version)];
    expect(texts[0]).toBe(texts[1]);
    expect(texts[0]).toContain('home');
    expect(texts[0]).toContain('us');
  });

  it('R15 larger than any message comes by repair, and is not here until then', async () => {
    await open();
    for (let n = 0; n < 5; n++) expect(await type(HOME, 'x'.repeat(400 * 1024))).toBe('ok');
    await world.time.sleep(2_000);
    const kept = keep();
    expect(await at(HOME, kept)).toEqual(OK);
    const version = versionName(WORKSPACE, canvas, idOf(kept));
    const outcomes = new Set([await codeOf(session('us', 'ada', version))]);
    await world.until(
      async () => (await textIn('us', version)).length === 5 * 400 * 1024,
      'repaired',
      200_000,
    );
    outcomes.add(await codeOf(session('us', 'ada', version)));
    expect(outcomes).toEqual(new Set(['not-here-yet', 'ok']));
  });

  it('R8 is read from a copy that lives, though the one that was opened was dropped meanwhile', async () => {
    await open();
    const empty = keep('Empty');
    expect(await at(HOME, empty)).toEqual(OK);
    const { replica } = world.start(HOME);
    const version = versionName(WORKSPACE, canvas, idOf(empty));
    const gate = world.region(HOME).faults.gate('loadCells');
    const joining = replica.join(version, { update: () => undefined, dropped: () => undefined });
    await gate.reached;
    replica.documents.drop(version);
    gate.open();
    await expect((await joining).stateVector()).resolves.toBeDefined();
  });

  it('R10 of an empty canvas is empty, and there are so many, in a minute and at all', async () => {
    await open();
    const empty = keep('Empty');
    expect(await at(HOME, empty)).toEqual(OK);
    expect((await session(HOME, 'ada', versionName(WORKSPACE, canvas, idOf(empty)))).ended).toEqual([]);
    await type(HOME, 'text');
    const outcomes = await Promise.all(Array.from({ length: 15 }, (_, n) => at(HOME, keep(`${n}`))));
    expect(outcomes.filter((outcome) => outcome === 'rate-limited')).toHaveLength(
      16 - LIMITS.versionsPerMinute,
    );
    // Nor does it help to say that it was long ago.
    expect(await at(HOME, { ...keep(), v: world.v(-600_000) } as Command)).toBe('rate-limited');
    expect(await at(HOME, { ...restore(idOf(empty)), v: 1 } as Command)).toBe('rate-limited');
    await world.time.sleep(60_000);
    const old = Array.from({ length: 12 }, () => ({ ...restore(idOf(empty)), v: 1 }) as Command);
    const late: unknown[] = [];
    for (const command of old) late.push(await at(HOME, command));
    expect(late.filter((outcome) => outcome === 'rate-limited')).toHaveLength(2);
    await world.time.sleep(60_000);
    for (let kept = LIMITS.versionsPerMinute; kept < LIMITS.versionsPerCanvas; kept++) {
      await world.time.sleep(7_000);
      expect(await at(HOME, keep(`${kept}`))).toEqual(OK);
    }
    await world.time.sleep(60_000);
    expect(await at(HOME, keep())).toBe('too-many');
    expect(await at(HOME, empty)).toEqual(OK);
    expect(await at(HOME, restore(idOf(empty)))).toEqual(OK);
    await everywhere('');
  });
});

/** Content of every kind, nested. */
function fill(doc: Y.Doc): void {
  const text = doc.getText('text');
  text.insert(0, 'plain and bold');
  text.format(10, 4, { bold: true });
  text.insertEmbed(5, { image: 'x.png' });
  const list = doc.getArray('list');
  list.push([1, 'two', { three: [3] }, new Uint8Array([4])]);
  const inner = new Y.Map();
  list.push([inner]);
  inner.set('deep', new Y.Text('inside'));
  inner.set('deeper', Y.Array.from([[true, null]]));
  const map = doc.getMap('map');
  map.set('same', 1);
  map.set('gone', 'soon');
  map.set('nested', new Y.Map([['a', new Y.Map([['b', 'c']])]]));
  const xml = doc.getXmlFragment('prosemirror');
  const paragraph = new Y.XmlElement('paragraph');
  xml.insert(0, [paragraph, new Y.XmlElement('rule')]);
  paragraph.setAttribute('align', 'left');
  const words = new Y.XmlText('Hello ');
  paragraph.insert(0, [words]);
  words.insert(6, 'world', { em: {} });
}

const contentOf = (doc: Y.Doc): unknown => ({
  text: doc.getText('text').toDelta(),
  list: doc.getArray('list').toJSON(),
  map: doc.getMap('map').toJSON(),
  xml: doc.getXmlFragment('prosemirror').toString(),
  t: doc.getText('t').toJSON(),
});

describe('restoring a version', () => {
  it('R1 brings back content of every kind, nested, and takes away what came since', async () => {
    await open();
    await change(HOME, fill);
    const then = contentOf(await docOf(HOME));
    const kept = keep();
    await at(HOME, kept);
    await change(HOME, (doc) => {
      doc.getText('text').delete(2, 6);
      doc.getArray('list').delete(0, 3);
      doc.getMap('map').delete('gone');
      doc.getMap('map').set('new', 1);
      (doc.getMap('map').get('nested') as Y.Map<unknown>).set('a', 2);
      const xml = doc.getXmlFragment('prosemirror');
      (xml.get(0) as Y.XmlElement).setAttribute('align', 'right');
      xml.insert(1, [new Y.XmlElement('more')]);
      doc.getText('t').insert(0, 'of its own root');
    });
    await world.time.sleep(1_000);
    expect(await at('us', restore(idOf(kept)))).toEqual(OK);
    await world.time.sleep(2_000);
    for (const region of [HOME, 'us']) expect(contentOf(await docOf(region))).toEqual(then);
    // And it can be written on.
    expect(await change('us', (doc) => doc.getText('text').insert(0, 'again: '), 'ben')).toBe('ok');
    expect(await change('us', (doc) => doc.getMap('map').set('gone', 'later'), 'ben')).toBe('ok');
    await world.time.sleep(2_000);
    expect((await docOf(HOME)).getText('text').toJSON()).toMatch(/^again: plain/);
    expect((await docOf(HOME)).getMap('map').get('gone')).toBe('later');
  });

  it('R4 two restores of one canvas at once, through two processes and the other region: the text stands there once', async () => {
    await open(2);
    await type(HOME, 'first');
    const kept = keep();
    await at(HOME, kept);
    await type(HOME, ', second');
    await world.time.sleep(1_000);
    const processes = [...world.region(HOME).processes, ...world.region('us').processes];
    const outcomes = await Promise.all(
      processes.map(({ replica }) => outcomeOf(replica.execute(restore(idOf(kept))))),
    );
    expect(outcomes).toEqual([OK, OK, OK, OK]);
    await everywhere('first');
  });

  it('R10 many at once take few sessions of the database', async () => {
    await open();
    await type(HOME, 'first');
    const kept = keep();
    await at(HOME, kept);
    let [leading, most] = [0, 0];
    const { replica } = world.start(HOME, ({ store, bus }) => ({
      bus,
      store: new Proxy(store, {
        get: (target, property) => {
          const member: unknown = Reflect.get(target, property, target);
          if (typeof member !== 'function') return member;
          return async (...parameters: unknown[]): Promise<unknown> => {
            const isRestore = property === 'lead' && String(parameters[0]).startsWith('restore ');
            if (isRestore) most = Math.max(most, ++leading);
            try {
              return await (Reflect.apply(member, target, parameters) as Promise<unknown>);
            } finally {
              if (isRestore) leading--;
            }
          };
        },
      }),
    }));
    const restoring = Array.from({ length: 50 }, () => outcomeOf(replica.execute(restore(idOf(kept)))));
    const outcomes = await Promise.all(restoring);
    expect(outcomes).toContainEqual(OK);
    expect(outcomes).toContain('not-ready');
    expect(most).toBeLessThanOrEqual(4);
    await everywhere('first');
    // Whoever was refused can be served later.
    expect(await outcomeOf(replica.execute(restore(idOf(kept))))).toEqual(OK);
  });

  it('R10 many that another region forwards hold up none of its other questions', async () => {
    await open();
    await type(HOME, 'first');
    const kept = keep();
    await at(HOME, kept);
    await world.time.sleep(1_000);
    const gate = world.region(HOME).faults.gate('append');
    const restoring = Array.from({ length: 12 }, () => at('us', restore(idOf(kept))));
    await gate.reached;
    const asking = world.at('us').strong.request({
      kind: 'change',
      ...frame(),
      deed: { kind: 'create-channel', slug: 'meanwhile', private: false, members: [] },
    });
    expect(await codeOf(asking)).toBe('ok');
    gate.open();
    const outcomes = await Promise.all(restoring);
    expect(outcomes).toContainEqual(OK);
    expect(new Set(outcomes.filter((outcome) => typeof outcome === 'string'))).toEqual(
      new Set(['not-ready']),
    );
    await everywhere('first');
  });

  it('R4 two processes that have not heard of each other restore one after the other', async () => {
    await open(1);
    await type(HOME, 'first');
    const kept = keep();
    await at(HOME, kept);
    await type(HOME, ', second');
    const deaf = world.start(HOME, ({ store, bus }) => ({
      store,
      bus: new Proxy(bus, {
        get: (target, property) => {
          if (property === 'hear') return () => undefined;
          const member: unknown = Reflect.get(target, property, target);
          return typeof member === 'function' ? (member.bind(target) as unknown) : member;
        },
      }),
    })).replica;
    // It holds the canvas as it was; its next look at the log comes in a second.
    await deaf.join(name, { update: () => undefined, dropped: () => undefined });
    await world.time.sleep(1_050);
    const { faults } = world.region(HOME);
    const gate = faults.gate('append');
    const first = at(HOME, restore(idOf(kept)));
    await gate.reached;
    const second = outcomeOf(deaf.execute(restore(idOf(kept))));
    await world.time.sleep(200);
    gate.open();
    expect(await Promise.all([first, second])).toEqual([OK, OK]);
    await everywhere('first');
  });

  it('R4 R8 one whose commit is doubtful and lands is not done twice when it is sent again', async () => {
    await open(2);
    await type(HOME, 'first');
    const kept = keep();
    await at(HOME, kept);
    await type(HOME, ', second');
    await world.time.sleep(1_000);
    const command = restore(idOf(kept));
    world.region(HOME).faults.failNext('append', 'after', new Doubtful('who knows'));
    expect(await at(HOME, command)).toBe('not-committed');
    const second = world.region(HOME).processes[1]!.replica;
    expect(
      await Promise.all([at(HOME, command), outcomeOf(second.execute(command)), at('us', command)]),
    ).toEqual([OK, OK, OK]);
    await everywhere('first');
  });

  it('R1 what somebody types meanwhile stays, beside what is restored', async () => {
    await open();
    await type(HOME, 'first');
    const kept = keep();
    await at(HOME, kept);
    await everywhere('first');
    world.cut(HOME, 'us');
    await type('us', ' [typed]', 'ben');
    expect(await at(HOME, restore(idOf(kept)))).toEqual(OK);
    world.heal();
    await world.time.sleep(3_000);
    const texts = [await textIn(HOME), await textIn('us')];
    expect(texts[0]).toBe(texts[1]);
    expect(texts[0]!.replace(' [typed]', '')).toBe('first');
    expect(texts[0]).toContain(' [typed]');
  });

  it('R5 away from home it is refused, and can be tried again', async () => {
    await open();
    await type(HOME, 'first');
    const kept = keep();
    await at(HOME, kept);
    await type(HOME, ', second');
    await everywhere('first, second');
    world.cut(HOME, 'us');
    const command = restore(idOf(kept));
    expect(await at('us', command)).toBe('no-directory');
    world.heal();
    await world.until(async () => (await at('us', command)) !== 'no-directory', 'again');
    await everywhere('first');
    expect(await at('us', restore('a'.repeat(22)))).toBe('not-here-yet');
    await at(HOME, share('ben', 'view'));
    await world.time.sleep(1_000);
    for (const region of [HOME, 'us']) expect(await at(region, restore(idOf(kept), 'ben'))).toBe('forbidden');
  });

  it('R12 home restores nothing for a member of whose removal the region that asks has not heard', async () => {
    await open();
    await type(HOME, 'first');
    const kept = keep();
    await at(HOME, kept);
    const asked = restore(idOf(kept), 'ben');
    const forwarded = async (): Promise<string> => {
      const question = new TextEncoder().encode(JSON.stringify(asked));
      return new TextDecoder().decode(await world.network.bus('us').ask(HOME, 'restore', question));
    };
    const deed = { kind: 'remove-member', member: 'ben' } as const;
    await world.at(HOME).strong.request({ kind: 'change', ...frame(), deed });
    expect(await forwarded()).toContain('"code":"forbidden"');
    await world
      .at(HOME)
      .strong.request({ kind: 'change', ...frame(), deed: { kind: 'return-member', member: 'ben' } });
    expect(await forwarded()).toContain('"answer"');
  });

  it('R1 whatever was written, by whomever, comes back as it was (fast-check)', async () => {
    const step = fc.record({
      root: fc.constantFrom('text', 'list', 'map'),
      at: fc.nat(20),
      n: fc.nat(5),
      deletes: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 12 }),
        fc.array(step, { maxLength: 12 }),
        async (early, late) => {
          await open();
          for (const each of early) await change(HOME, (doc) => apply(doc, each));
          const then = contentOf(await docOf(HOME));
          const kept = keep();
          await at(HOME, kept);
          for (const each of late) await change(HOME, (doc) => apply(doc, each));
          expect(await at(HOME, restore(idOf(kept)))).toEqual(OK);
          expect(contentOf(await docOf(HOME))).toEqual(then);
          world.close();
        },
      ),
      { seed: 1, numRuns: 15 },
    );
  });
});

function apply(
  doc: Y.Doc,
  { root, at, n, deletes }: { root: string; at: number; n: number; deletes: boolean },
): void {
  if (root === 'map') {
    if (deletes) doc.getMap('map').delete(`${n}`);
    else doc.getMap('map').set(`${n}`, at % 2 === 0 ? at : new Y.Text(`${at}`));
    return;
  }
  const type = root === 'text' ? doc.getText('text') : doc.getArray('list');
  const index = Math.min(at, type.length);
  if (deletes) type.delete(index, Math.min(n, type.length - index));
  else if (type instanceof Y.Text) type.insert(index, `<${n}>`, n % 2 === 0 ? { bold: true } : {});
  else type.insert(index, [n % 2 === 0 ? n : new Y.Map([['n', n]])]);
}
