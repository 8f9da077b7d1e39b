import type { Message } from '@causeway/protocol';
import { Segment, orderOf, timeOfPost } from '@causeway/replica';
import { expect, test } from 'vitest';
import * as Y from 'yjs';
import { MessageUnion } from './message-union.ts';

const T = [0, 1, 2, 3].map((at) => timeOfPost(1_024_000 + at, 1));
const NOW = 1_000_000_000;

const page = (id: string, t: string, more: Partial<Message> = {}): Message => ({
  id,
  author: 'ada',
  body: id,
  t,
  at: 1_000,
  region: 'us-east',
  ...more,
});

function setUp() {
  let changes = 0;
  const union = new MessageUnion(
    () => NOW,
    () => changes++,
  );
  const follow = (number: number): Segment => {
    const segment = new Segment(new Y.Doc());
    union.addSegment(number, segment);
    return segment;
  };
  const bodies = () => union.messages.map(({ body }) => body);
  return { union, follow, bodies, changes: () => changes };
}

const cell = (emoji: string, member: string, v: number, value: boolean) => ({
  key: `${emoji}|${member}`,
  v: orderOf(v, 'id'),
  value,
});

const post = (body: string) => ({ a: 'ada', b: body, o: 'us-east' });

test('messages of segments and pages stand in the order of their time', () => {
  const { union, follow, bodies } = setUp();
  const [low, high] = [follow(1), follow(2)];
  high.post('c', T[3]!, post('c'));
  low.post('b', T[1]!, post('b'));
  union.addPage([page('a', T[0]!)]);
  expect(bodies()).toEqual(['a', 'b', 'c']);
});

test('a copy in two segments is one message: the earlier place, the latest words', () => {
  const { union, follow } = setUp();
  const [low, high] = [follow(1), follow(2)];
  high.post('a', T[2]!, post('first'));
  low.post('a', T[1]!, post('first'));
  low.edit('a', 'edit', { b: 'edited', v: 2_000 });
  expect(union.messages).toMatchObject([{ t: T[1], body: 'edited', editedAt: 2_000 }]);
});

test('R1 a page that is older than what is followed takes nothing back', () => {
  const { union, follow, bodies } = setUp();
  const segment = follow(1);
  segment.post('a', T[0]!, post('first'));
  segment.edit('a', 'edit', { b: 'edited', v: 2_000 });
  union.addPage([page('a', T[0]!, { body: 'first' })]);
  expect(bodies()).toEqual(['edited']);
  segment.delete('a');
  union.addPage([page('a', T[0]!)]);
  expect(bodies()).toEqual([]);
});

test('a segment that is left keeps its messages on screen', () => {
  const { union, follow, bodies } = setUp();
  follow(1).post('a', T[0]!, post('a'));
  union.removeSegment(1);
  union.addPage([page('b', T[1]!)]);
  expect(bodies()).toEqual(['a', 'b']);
});

test('a message that did not change stays the same object', () => {
  const { union, follow } = setUp();
  const segment = follow(1);
  segment.post('a', T[0]!, post('a'));
  const [before] = union.messages;
  segment.post('b', T[1]!, post('b'));
  expect(union.messages[0]).toBe(before);
  expect(union.messages).toBe(union.messages);
});

test('R4 reactions follow the law of cells, also over what a page said', () => {
  const { union } = setUp();
  union.addPage([page('a', T[0]!, { reactions: { '👍': ['ada', 'ben'] } })]);
  expect(union.messages[0]?.reactions).toEqual({ '👍': ['ada', 'ben'] });
  union.addCells('a', [cell('👍', 'ada', 5, false), cell('a|b', 'ada', 5, true)]);
  union.addCells('a', [cell('👍', 'ada', 4, true)]);
  expect(union.messages[0]?.reactions).toEqual({ '👍': ['ben'], 'a|b': ['ada'] });
  union.addCells('a', [cell('👍', 'ben', 6, false), cell('a|b', 'ada', 6, false)]);
  expect(union.messages[0]).not.toHaveProperty('reactions');
});

test('R14 a time from the future is shown as now', () => {
  const { union, follow } = setUp();
  follow(1).post('a', timeOfPost((NOW + 5_000) * 1_024, 1), post('a'));
  expect(union.messages[0]?.at).toBe(NOW);
});

test('replies are those that a page counted and those that came after it; one that is deleted counts no more', () => {
  const { union, follow } = setUp();
  const replies = { count: 2, last: T[1]!, participants: ['ben', 'cleo'] };
  union.addPage([page('root', T[0]!, { replies }), page('counted', T[1]!, { thread: 'root' })]);
  const segment = follow(1);
  segment.post('new', T[2]!, { ...post('new'), a: 'dan', r: 'root' });
  const [root] = union.messages;
  expect(root?.replies).toEqual({ count: 3, last: T[2], participants: ['dan', 'ben', 'cleo'] });
  segment.delete('counted');
  segment.delete('new');
  expect(union.messages).toMatchObject([{ id: 'root', replies: { count: 1 } }]);
});

test('what is read aside is known, and stands in the list when the page comes that it belongs to', () => {
  const { union, bodies } = setUp();
  union.addPage([page('c', T[2]!)]);
  union.addAside([page('a', T[0]!), page('b', T[1]!, { thread: 'a' }), page('c', T[2]!)]);
  expect(bodies()).toEqual(['c']);
  expect(union.get('a')).toMatchObject({ body: 'a', replies: { count: 1 } });
  expect(union.repliesTo('a').map(({ id }) => id)).toEqual(['b']);
  union.addPage([page('b', T[1]!, { thread: 'a' }), page('a', T[0]!)]);
  expect(bodies()).toEqual(['a', 'b', 'c']);
});
