import { CausewayError, commandId, type Ack, type Command } from '@causeway/protocol';
import { afterEach, expect, test, vi } from 'vitest';
import { ClientClock } from '../client-clock.ts';
import { CommandMaker } from '../command-maker.ts';
import { Outbox } from '../outbox.ts';
import { MemoryStorage } from './memory-storage.ts';
import type { Storage } from './storage.ts';

const make = new CommandMaker({
  workspace: 'acme',
  member: 'ada',
  clock: new ClientClock(() => 1_000),
  randomBytes: (count) => crypto.getRandomValues(new Uint8Array(count)),
});

afterEach(() => void vi.useRealTimers());

/** A client of the account over a storage; what it sends is answered only when `isUp`. */
function client(storage: Storage, lane: string, account = 'acme|ada') {
  const sent: Command[] = [];
  const region = { isUp: false };
  const outbox = new Outbox({
    send: async (command) => {
      sent.push(command);
      if (!region.isUp) return new Promise<Ack>(() => undefined);
      return { id: commandId(command), level: 'region', token: [], clock: 1 };
    },
    acknowledged: () => undefined,
    random: () => 1,
    now: () => 1_000,
    keep: { storage, account, lane },
  });
  return { outbox, sent, region };
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const bodies = (commands: readonly Command[]) => commands.map((command) => 'body' in command && command.body);

test('R4 a command is kept before it is sent, and the next client sends the very same one', async () => {
  const storage = new MemoryStorage();
  const before = client(storage, 'one');
  const command = make.edit('general', 'M', 'words');
  void before.outbox.add(command);
  expect(before.sent).toEqual([]);
  await expect.poll(() => before.sent).toEqual([command]);
  expect(await storage.keys('outbox', 'acme|ada|one|')).toHaveLength(1);
  await before.outbox.close();

  const after = client(storage, 'two');
  after.region.isUp = true;
  await expect.poll(() => after.sent).toEqual([command]);
  await expect.poll(() => storage.keys('outbox', '')).toEqual([]);
  await after.outbox.close();
});

test('what was kept goes before what is new, in its order', async () => {
  const storage = new MemoryStorage();
  const before = client(storage, 'one');
  for (let count = 0; count < 12; count++) void before.outbox.add(make.post('general', `${count}`));
  await expect.poll(() => storage.keys('outbox', '')).toHaveLength(12);
  await before.outbox.close();
  const after = client(storage, 'two');
  after.region.isUp = true;
  void after.outbox.add(make.post('general', 'new'));
  await expect.poll(() => after.sent).toHaveLength(13);
  expect(bodies(after.sent)).toEqual([...Array.from({ length: 12 }, (_, at) => `${at}`), 'new']);
  await after.outbox.close();
});

test('two tabs leave each other alone, and one takes over when the other is gone', async () => {
  vi.useFakeTimers();
  const storage = new MemoryStorage();
  const [one, two] = [client(storage, 'one'), client(storage, 'two')];
  void one.outbox.add(make.post('general', 'from one'));
  void two.outbox.add(make.post('general', 'from two'));
  await vi.advanceTimersByTimeAsync(60_000);
  expect([bodies(one.sent), bodies(two.sent)]).toEqual([['from one'], ['from two']]);
  two.region.isUp = true;
  await one.outbox.close();
  await vi.advanceTimersByTimeAsync(15_000);
  expect(two.outbox.getSnapshot().map(({ command }) => bodies([command])[0])).toEqual([
    'from one',
    'from two',
  ]);
  await two.outbox.close();
});

test('a third one does not take what a second one has taken', async () => {
  const storage = new MemoryStorage();
  const gone = client(storage, 'gone');
  for (const body of ['a', 'b']) void gone.outbox.add(make.post('general', body));
  await expect.poll(() => storage.keys('outbox', '')).toHaveLength(2);
  await gone.outbox.close();
  const [two, three] = [client(storage, 'two'), client(storage, 'three')];
  for (const each of [two, three]) each.region.isUp = true;
  await expect.poll(() => storage.keys('outbox', '')).toEqual([]);
  expect([...bodies(two.sent), ...bodies(three.sent)]).toEqual(['a', 'b']);
  for (const each of [two, three]) await each.outbox.close();
});

test('R12 another member of the same browser sees nothing of it', async () => {
  const storage = new MemoryStorage();
  const ada = client(storage, 'one');
  void ada.outbox.add(make.post('general', 'mine'));
  await expect.poll(() => storage.keys('outbox', '')).toHaveLength(1);
  await ada.outbox.close();
  const ben = client(storage, 'two', 'acme|ben');
  const done = make.post('general', 'his');
  void ben.outbox.add(done);
  await expect.poll(() => ben.sent).toEqual([done]);
  await ben.outbox.close();
});

test('what was given up stays given up, until somebody decides', async () => {
  const storage = new MemoryStorage();
  const refusing = new Outbox({
    send: () => Promise.reject(new CausewayError('gone', 'it was deleted')),
    acknowledged: () => undefined,
    random: () => 1,
    now: () => 1_000,
    keep: { storage, account: 'acme|ada', lane: 'two' },
  });
  void refusing.add(make.edit('general', 'M', 'words'));
  await expect.poll(() => refusing.getSnapshot()[0]?.state).toBe('failed');
  await refusing.close();

  const after = client(storage, 'three');
  await expect
    .poll(() => after.outbox.getSnapshot())
    .toMatchObject([{ state: 'failed', isKept: true, error: { code: 'gone', message: 'it was deleted' } }]);
  expect(after.sent).toEqual([]);
  after.outbox.discard(after.outbox.getSnapshot()[0]!.id);
  await expect.poll(() => storage.keys('outbox', '')).toEqual([]);
  await after.outbox.close();
});

test('what cannot be read, or is not what its key says, is put aside once', async () => {
  const storage = new MemoryStorage();
  const command = make.post('general', 'real');
  await storage.write('outbox', {
    put: [
      ['acme|ada|gone|AAAAAAAAAAAAAAAAAAAAAA', text('{"number":1,')],
      ['acme|ada|gone|BBBBBBBBBBBBBBBBBBBBBB', text(JSON.stringify({ number: 2, addedAt: 1, command }))],
      [`acme|ada|gone|${commandId(command)}`, text(JSON.stringify({ number: 3, addedAt: 1, command }))],
    ],
  });
  const { outbox, sent, region } = client(storage, 'one');
  region.isUp = true;
  await expect.poll(() => sent).toEqual([command]);
  await expect.poll(() => storage.keys('outbox', '')).toEqual([]);
  expect(await storage.keys('aside', '')).toHaveLength(2);
  await outbox.close();
});

test('where nothing can be kept, commands are sent all the same, and say so', async () => {
  const storage = new MemoryStorage();
  storage.write = () => Promise.reject(new Error('the disk is full'));
  storage.keys = () => Promise.reject(new Error('the disk is broken'));
  const { outbox, sent } = client(storage, 'one');
  const command = make.post('general', 'hi');
  void outbox.add(command);
  await expect.poll(() => sent).toEqual([command]);
  expect(outbox.getSnapshot()).toMatchObject([{ state: 'sending', isKept: false }]);
  await outbox.close();
});
