import { commandId, type Command, type Message } from '@causeway/protocol';
import { expect, test } from 'vitest';
import { ClientClock } from './client-clock.ts';
import { CommandMaker } from './command-maker.ts';
import type { OutboxEntry } from './outbox.ts';
import { shownMessages } from './shown-messages.ts';

const AT = 1_000;
const make = new CommandMaker({
  workspace: 'acme',
  member: 'ada',
  clock: new ClientClock(() => AT),
  randomBytes: (count) => new Uint8Array(count),
});
const held: Message = { id: 'm', author: 'ada', body: 'held', t: '0', at: 1, region: 'us-east' };
const entryOf = (command: Command, state: OutboxEntry['state'] = 'waiting'): OutboxEntry => ({
  id: commandId(command),
  command,
  state,
  attempts: 0,
  isKept: false,
  addedAt: AT,
});
const show = (waiting: Command[], acknowledged: Command[] = [], state?: OutboxEntry['state']) =>
  shownMessages(
    [held],
    acknowledged.map((command) => ({ command, at: AT })),
    waiting.map((command) => entryOf(command, state)),
    commandId,
  );

test('a post on its way stands last, under the id that it will have', () => {
  const command = make.post('general', 'new');
  const [, shown] = show([command]);
  expect(shown).toMatchObject({ id: commandId(command), body: 'new', author: 'ada', at: AT, region: '' });
  expect(shown?.pending?.state).toBe('waiting');
});

test('an acknowledged post stays in sight until it comes back, and is pending no more', () => {
  const [, shown] = show([], [make.post('general', 'new')]);
  expect(shown).toMatchObject({ body: 'new', at: AT });
  expect(shown).not.toHaveProperty('pending');
});

test('an edit, a reaction and a deletion show at once', () => {
  const edited = make.edit('general', 'm', 'better');
  expect(show([edited])[0]).toMatchObject({ body: 'better', editedAt: edited.v });
  expect(show([make.react('general', 'm', '👍', true)])[0]?.reactions).toEqual({ '👍': ['ada'] });
  expect(show([make.delete('general', 'm')])[0]?.pending).toBeDefined();
  expect(show([], [make.delete('general', 'm')])).toEqual([]);
});

test('what failed shows the message as it was, and the failure', () => {
  const [shown] = show([make.edit('general', 'm', 'better')], [], 'failed');
  expect(shown).toMatchObject({ body: 'held', pending: { state: 'failed' } });
});

test('an edit that a newer one has overtaken changes nothing', () => {
  const late = make.edit('general', 'm', 'late');
  const newer = { ...held, body: 'newer', editedAt: late.v + 1 };
  expect(shownMessages([newer], [], [entryOf(late)], commandId)[0]).toMatchObject({ body: 'newer' });
});

test('with nothing on its way it is the very list that regions hold', () => {
  const list = [held];
  expect(shownMessages(list, [], [], commandId)).toBe(list);
});
