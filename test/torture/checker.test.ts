import {
  channelScope,
  commandId,
  segmentName,
  type Command,
  type CommandOf,
  type Message,
} from '@causeway/protocol';
import { Segment, canonicalState, orderOf, unionOf } from '@causeway/replica';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import * as Y from 'yjs';
import { check, type Rule } from './checker.ts';
import { DiskLoss } from './disk-loss.ts';
import type { Held } from './held.ts';
import { Journal } from './journal.ts';

const NAME = segmentName('demo', 'general', 1);
const SCOPE = channelScope('demo', 'general');
const CANVAS = 'demo/canvas/c';
const frame = { workspace: 'demo', member: 'ada', channel: 'general' };
const nonce = (at: number): string => String(at).padStart(22, 'n');

let journal: Journal;
let held: [Held, Held];

const post: CommandOf<'post'> = { kind: 'post', ...frame, nonce: nonce(1), body: 'hello' };
const id = commandId(post);
const edit: CommandOf<'edit'> = {
  kind: 'edit',
  ...frame,
  nonce: nonce(2),
  message: id,
  body: 'hi',
  v: 2_048,
};
const topic: CommandOf<'topic'> = { kind: 'topic', ...frame, nonce: nonce(3), topic: 'cows', v: 4_096 };
const goodbye: CommandOf<'post'> = { kind: 'post', ...frame, nonce: nonce(4), body: 'goodbye' };
const remove: CommandOf<'delete'> = {
  kind: 'delete',
  ...frame,
  nonce: nonce(5),
  message: commandId(goodbye),
};
const topicV = orderOf(topic.v, commandId(topic));

function acknowledge(command: Command, level: 'region' | 'zone' = 'region'): void {
  const token = command.kind === 'topic' ? [{ scope: SCOPE, key: 'topic', v: topicV }] : [];
  journal.operation({
    id: commandId(command),
    command,
    level,
    home: 'us-east',
    startedAt: 1,
    endedAt: 2,
    attempts: 1,
    repeat: false,
    outcome: { acknowledged: true, region: 'us-east', level, token },
  });
}

/** A region that holds what was acknowledged; `change` may spoil it before it is read back. */
function regionHolding(
  region: string,
  change: (segment: Segment, words: Y.Array<string>) => void = () => undefined,
): Held {
  const [doc, canvas] = [new Y.Doc(), new Y.Doc()];
  doc.clientID = 7;
  canvas.clientID = 8;
  const segment = new Segment(doc);
  segment.post(id, '00000000001.7', { a: 'ada', b: 'hello', o: 'us-east' });
  segment.post(commandId(goodbye), '00000000002.7', { a: 'ada', b: 'goodbye', o: 'us-east' });
  segment.edit(id, commandId(edit), { b: 'hi', v: edit.v });
  segment.delete(commandId(goodbye));
  canvas.getArray<string>('words').push(['w1']);
  change(segment, canvas.getArray('words'));
  const documents = new Map([
    [NAME, doc],
    [CANVAS, canvas],
  ]);
  const states = new Map([...documents].map(([name, each]) => [name, Buffer.from(canonicalState(each))]));
  const cell = { scope: SCOPE, key: 'topic', v: topicV, value: { text: 'cows', by: 'ada' } };
  const messages = [...segment.ids()].flatMap((each) => unionOf([segment.copy(each)], 1e15) ?? []);
  return {
    region,
    documents,
    states,
    cells: new Map([[`${SCOPE} topic`, cell]]),
    view: new Map(messages.map((message) => [`${SCOPE}/${message.id}`, message])),
    wrongDigests: [],
    shown: [
      {
        who: `${region}#1`,
        messages: new Map([['general', [...messages]]]),
        documents: new Map([[NAME, states.get(NAME)!.toString('base64')]]),
      },
    ],
  };
}

beforeEach(() => {
  journal = new Journal(join(tmpdir(), `causeway-checker-${process.pid}.jsonl`));
  for (const command of [post, edit, topic, goodbye, remove]) acknowledge(command);
  journal.wrote('w1', CANVAS);
  journal.saw('w1', CANVAS, 2);
  held = [regionHolding('us-east'), regionHolding('eu-west')];
  return () => journal.close();
});

const rules = (): Rule[] => [
  ...new Set(check(journal, new DiskLoss(), held).findings.map(({ rule }) => rule)),
];
const shown = (): Message[] => held[1].shown[0]!.messages.get('general')!;

describe('the checker of a torture run', () => {
  it('finds nothing where everything is as promised', () => {
    expect(check(journal, new DiskLoss(), held)).toEqual({ findings: [], checked: 6, lostWithDisk: 0 });
  });

  const spoiled: [what: string, change: (segment: Segment, words: Y.Array<string>) => void, rule: Rule][] = [
    ['a post is missing', (segment) => segment.prune(id, [], ['00000000001.7']), 'lost'],
    ['an edit is missing', (segment) => segment.prune(id, [commandId(edit)], []), 'lost'],
    ['a deleted message is back', (segment) => segment.doc.getMap('x').clear(), 'lost'],
    ['a canvas word is missing', (_, words) => words.delete(0), 'lost'],
    ['a canvas word stands twice', (_, words) => words.push(['w1']), 'duplicated'],
    [
      'a message is there that nobody sent',
      (segment) => segment.post('x'.repeat(22), '00000000003.7', { a: 'a', b: 'b', o: 'o' }),
      'invented',
    ],
    ['a message is deleted and nobody asked', (segment) => segment.delete(id), 'invented'],
  ];
  it.each(spoiled)('R1 R3 R4 tells when, in all regions, %s', (_, change, rule) => {
    held = [regionHolding('us-east', change), regionHolding('eu-west', change)];
    expect(rules()).toEqual([rule]);
    held[0] = regionHolding('us-east');
    expect(rules().toSorted()).toEqual([rule, 'diverged'].toSorted());
  });

  it('R3 tells of a cell that is missing or older', () => {
    for (const region of held)
      region.cells.set(`${SCOPE} topic`, { scope: SCOPE, key: 'topic', v: '0', value: 1 });
    expect(rules()).toEqual(['lost']);
    for (const region of held) region.cells.clear();
    expect(rules()).toEqual(['lost']);
  });

  it('R1 R9 R15 tells of a view, a process, a digest and a cell that differ', () => {
    for (const spoil of [
      () => held[1].view.clear(),
      () => held[1].view.set(`${SCOPE}/${id}`, { ...held[1].view.get(`${SCOPE}/${id}`)!, body: 'hello' }),
      () => shown().pop(),
      () => (shown()[0] = { ...shown()[0]!, body: 'hello' }),
      () => (shown()[0] = { ...shown()[0]!, reactions: { heart: ['ada'] } }),
      () => held[1].shown[0]!.documents.set(NAME, ''),
      () => held[1].wrongDigests.push(NAME),
      () => held[1].cells.set(`${SCOPE} x`, { scope: SCOPE, key: 'x', v: '1', value: 1 }),
    ]) {
      held = [regionHolding('us-east'), regionHolding('eu-west')];
      spoil();
      expect(rules(), String(spoil)).toEqual(['diverged']);
    }
  });

  it('R4 tells of a message that is shown twice, also under another id', () => {
    shown().push(shown()[0]!);
    expect(rules()).toContain('duplicated');
    held[1] = regionHolding('eu-west');
    shown().push({ ...shown()[0]!, id: 'y'.repeat(22) });
    expect(rules()).toContain('duplicated');
  });
});
