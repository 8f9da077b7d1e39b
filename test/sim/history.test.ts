import { CausewayError, canvasName, type Message, type Token } from '@causeway/protocol';
import { Doubtful } from '@causeway/replica';
import { afterEach, describe, expect, it } from 'vitest';
import { CHANNEL, WORKSPACE, World, idOf, type Process } from './world.ts';

let world: World;
afterEach(() => world.close());

const open = (regions: string[], processes = 1): World => (world = new World({ regions, processes }));

async function read({ replica }: Process, after?: Token): Promise<Message[]> {
  return (await replica.messages(WORKSPACE, CHANNEL, undefined, 100, after)).items;
}
const bodies = async (process: Process, after?: Token): Promise<string[]> =>
  (await read(process, after)).map(({ body }) => body).toReversed();
const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'fine',
    (error: unknown) => (error instanceof CausewayError ? error.code : String(error)),
  );
const processOf = (region: string, at = 0): Process => world.region(region).processes[at]!;

/** No view of the region moves until the returned function is called. */
const holdViews = (region: string): (() => void) =>
  world
    .region(region)
    .faults.inject((operation, when) =>
      operation === 'project' && when === 'before'
        ? Promise.reject(new Doubtful('the view stands still'))
        : undefined,
    );

describe('history without a token', () => {
  it('R9 shows what this process wrote, at once', async () => {
    open(['us'], 2);
    for (let n = 0; n < 10; n++)
      for (const at of [0, 1]) {
        const post = world.post(`${n} by ${at}`);
        await processOf('us', at).replica.execute(post);
        const began = world.time.now();
        expect((await bodies(processOf('us', at))).at(-1)).toBe(`${n} by ${at}`);
        await processOf('us', at).replica.execute(world.edit(idOf(post), 'changed', world.v()));
        expect((await bodies(processOf('us', at))).at(-1)).toBe('changed');
        await processOf('us', at).replica.execute(world.remove(idOf(post)));
        expect(await bodies(processOf('us', at))).not.toContain('changed');
        expect(world.time.now() - began).toBeLessThan(300);
      }
  });

  it('R9 shows what was written before this process began', async () => {
    open(['us']);
    for (let n = 0; n < 5; n++) {
      await processOf('us').replica.execute(world.post(`n${n}`));
      processOf('us').crash();
      world.start('us');
      expect(await bodies(processOf('us'))).toHaveLength(n + 1);
    }
  });

  it('R5 shows what there is after a second when the view stands still', async () => {
    open(['us']);
    await processOf('us').replica.execute(world.post('shown'));
    expect(await bodies(processOf('us'))).toEqual(['shown']);
    holdViews('us');
    await processOf('us').replica.execute(world.post('not shown'));
    const began = world.time.now();
    expect(await bodies(processOf('us'))).toEqual(['shown']);
    expect(world.time.now() - began).toBe(1_000);
  });

  it('waits for writes of the channel that is read only', async () => {
    open(['us']);
    await bodies(processOf('us'));
    holdViews('us');
    await processOf('us').replica.execute(world.post('elsewhere', { channel: 'other' }));
    const began = world.time.now();
    expect(await bodies(processOf('us'))).toEqual([]);
    expect(world.time.now()).toBe(began);
  });

  it('R9 pages from the newest to the oldest, none twice and none left out (PAINS 21)', async () => {
    open(['us']);
    const { replica } = processOf('us');
    for (let n = 0; n < 25; n++) await replica.execute(world.post(`n${n}`));
    const found: string[] = [];
    for (let next: string | undefined = ''; next !== undefined;) {
      const [t, id] = next.split('~') as [string, string];
      const page = await replica.messages(WORKSPACE, CHANNEL, next === '' ? undefined : { t, id }, 10);
      found.push(...page.items.map(({ body }) => body));
      next = page.next;
    }
    expect(found.toReversed()).toEqual(Array.from({ length: 25 }, (_, n) => `n${n}`));
  });

  it('R14 a time from a fast clock is shown as now, and as itself when it has come', async () => {
    open(['us', 'eu']);
    const now = world.time.now.bind(world.time);
    // The whole of eu is an hour fast while it accepts the post.
    const { clock } = processOf('eu').replica;
    const tick = clock.tick.bind(clock);
    clock.tick = () => tick() + 3_600_000 * 1_024;
    await processOf('eu').replica.execute(world.post('from the future'));
    await world.until(async () => (await read(processOf('us'))).length === 1, 'it is here');
    expect((await read(processOf('us')))[0]!.at).toBe(now());
    await world.time.sleep(3_700_000);
    expect((await read(processOf('us')))[0]!.at).toBeLessThan(now() - 90_000);
  });
});

describe('history with a token', () => {
  it('R9 another region shows the write as soon as it is there', async () => {
    open(['us', 'eu']);
    for (let n = 0; n < 5; n++) {
      const post = world.post(`n${n}`);
      const { token } = await processOf('us').replica.execute(post);
      expect((await bodies(processOf('eu'), token)).at(-1)).toBe(`n${n}`);
      const edited = await processOf('eu').replica.execute(world.edit(idOf(post), 'changed', world.v(1)));
      expect((await bodies(processOf('us'), edited.token)).at(-1)).toBe('changed');
      const reacted = await processOf('us').replica.execute(world.react(idOf(post), true, world.v()));
      expect((await read(processOf('eu'), reacted.token))[0]!.reactions).toEqual({ '👍': ['bob'] });
      const removed = await processOf('us').replica.execute(world.remove(idOf(post)));
      expect(await bodies(processOf('eu'), removed.token)).toEqual([]);
    }
  });

  it('R5 R9 says so after 5 s when the write does not come, and shows it when it has come', async () => {
    open(['us', 'eu']);
    world.cut('us');
    const { token } = await processOf('us').replica.execute(world.post('over there'));
    const began = world.time.now();
    expect(await codeOf(bodies(processOf('eu'), token))).toBe('not-here-yet');
    expect(world.time.now() - began).toBe(5_000);
    expect(await processOf('eu').replica.holds(token)).toBe(false);
    expect(await bodies(processOf('eu'))).toEqual([]);
    world.heal();
    await world.until(() => processOf('eu').replica.holds(token), 'it is there');
    expect(await bodies(processOf('eu'), token)).toEqual(['over there']);
  });

  it('R9 says so when the write is here and the view does not follow', async () => {
    open(['us', 'eu']);
    const letGo = holdViews('eu');
    const { token } = await processOf('us').replica.execute(world.post('here'));
    const began = world.time.now();
    expect(await codeOf(bodies(processOf('eu'), token))).toBe('not-here-yet');
    expect(world.time.now() - began).toBeLessThanOrEqual(5_000);
    expect(await processOf('eu').replica.holds(token)).toBe(true);
    letGo();
    expect(await bodies(processOf('eu'), token)).toEqual(['here']);
  });

  it('R5 a process that hears nobody waits no longer than the tail takes', async () => {
    open(['us'], 2);
    world.network.stop('us');
    const { token } = await processOf('us').replica.execute(world.post('by the other'));
    const began = world.time.now();
    expect(await bodies(processOf('us', 1), token)).toEqual(['by the other']);
    expect(world.time.now() - began).toBeLessThanOrEqual(1_100);
  });

  it('R2 a write that is under way is not held', async () => {
    open(['us']);
    const { replica } = processOf('us');
    const { token } = await replica.execute(world.post('first'));
    const [place] = token as { document: string; client: number; clock: number }[];
    const next: Token = [{ ...place!, clock: place!.clock + 1 }];
    const gate = world.region('us').faults.gate('append');
    const posting = replica.execute(world.post('second'));
    await gate.reached;
    let held: boolean | undefined;
    const asking = replica.holds(next).then((answer) => (held = answer));
    await world.time.sleep(1_000);
    expect(held).toBeUndefined();
    gate.open(new Doubtful('no answer'));
    expect(await codeOf(posting)).toBe('not-committed');
    await asking;
    expect(held).toBe(false);
  });

  it('R12 what is no token is a bad request', async () => {
    open(['us']);
    const bad = [{ document: 'acme/channel/general', client: 1, clock: 1 }];
    expect(await codeOf(bodies(processOf('us'), bad))).toBe('invalid-request');
    expect(await codeOf(processOf('us').replica.holds(bad))).toBe('invalid-request');
  });

  it('R10 10,000 wait at once, and the next one is told to come back', async () => {
    open(['us']);
    const { replica } = processOf('us');
    const never: Token = [{ document: canvasName(WORKSPACE, 'none'), client: 1, clock: 1 }];
    const waits = Array.from({ length: 10_000 }, () => replica.waitFor(never, 1_000));
    expect(await codeOf(replica.waitFor(never, 1_000))).toBe('not-ready');
    expect(new Set(await Promise.all(waits))).toEqual(new Set([false]));
    expect(await replica.waitFor(never, 1)).toBe(false);
  });
});
