import { channelScope, commandId, messageScope, type Cell, type Command } from '@causeway/protocol';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { regionInMemory, type RegionInMemory } from '../../region-in-memory.ts';
import { ChannelCells } from './channel-cells.ts';

const CHANNEL = 'general-id';

let region: RegionInMemory;
let cells: ChannelCells;

beforeEach(async () => {
  region = await regionInMemory();
  cells = new ChannelCells();
});
afterEach(() => {
  vi.restoreAllMocks();
  region.stop.abort();
});

const execute = (fields: Partial<Command>): Promise<string> => {
  const common = { workspace: 'acme-id', channel: CHANNEL, member: 'ada', nonce: region.nonce() };
  const command = { ...common, ...fields } as Command;
  return region.replica.execute(command).then(() => commandId(command));
};
const react = (message: string, emoji: string): Promise<string> =>
  execute({ kind: 'react', message, emoji, on: true, v: region.replica.clock.tick() });
const watch = (changed: (cells: Cell[]) => void = () => undefined): (() => void) =>
  cells.watch(region.replica, 'acme-id', CHANNEL, changed);
const read = (): Promise<Cell[]> => cells.read(region.replica, 'acme-id', CHANNEL);
const keysOf = (found: readonly Cell[]): string[] =>
  found.map(({ scope, key }) => `${scope.split('/').at(-1)} ${key}`).sort();

test('R10 who looks at a channel that others look at costs no query, and gets what there is now', async () => {
  const message = await execute({ kind: 'post', body: 'hello' });
  await react(message, 'wave');
  watch();
  const first = await read();
  expect(first.map(({ scope }) => scope)).toContain(messageScope('acme-id', CHANNEL, message));
  const loads = vi.spyOn(region.store, 'loadCells');
  const heard: Cell[] = [];
  watch((changes) => heard.push(...changes));
  await react(message, 'tada');
  await execute({ kind: 'topic', topic: 'news', v: region.replica.clock.tick() });
  const second = await read();
  expect(loads).not.toHaveBeenCalled();
  expect(second.length).toBe(first.length + 2);
  expect(keysOf(heard)).toEqual(keysOf(second.filter((cell) => !keysOf(first).includes(keysOf([cell])[0]!))));
});

test('a change that comes while it is read is not missed, and a read that fails is made again', async () => {
  const message = await execute({ kind: 'post', body: 'hello' });
  watch();
  region.broken = true;
  await expect(read()).rejects.toThrow('the database is gone');
  region.broken = false;
  const { promise, resolve } = Promise.withResolvers<void>();
  const load = region.store.loadCells.bind(region.store);
  const ofMessage = messageScope('acme-id', CHANNEL, message);
  vi.spyOn(region.store, 'loadCells').mockImplementation(async (scopes) => {
    const found = await load(scopes);
    if (scopes.includes(ofMessage)) await promise;
    return found;
  });
  const reading = read();
  await execute({ kind: 'topic', topic: 'news', v: region.replica.clock.tick() });
  resolve();
  expect((await reading).find(({ key }) => key === 'topic')?.value).toMatchObject({ text: 'news' });
});

test('R10 nothing is held of a channel that nobody looks at', async () => {
  const scope = channelScope('acme-id', CHANNEL);
  const [one, other] = [watch(), watch()];
  await read();
  one();
  one();
  const opened = vi.spyOn(region.replica.cells, 'openAll');
  await read();
  expect(opened).not.toHaveBeenCalled();
  other();
  expect(await read()).toEqual([]);
  watch();
  await read();
  expect(opened.mock.calls.flatMap(([scopes]) => scopes)).toContain(scope);
});
