import { PRESENCE_VERSION } from '@causeway/protocol';
import { describe, expect, it } from 'vitest';
import { STATE } from './state.ts';
import {
  decodeAnnouncement,
  decodeQuestion,
  encodeAnnouncement,
  encodeQuestion,
  type Announcement,
  type Question,
} from './wire.ts';

const standings = [
  { key: 'acme/ada', state: STATE.dnd },
  { key: 'acme/ben', state: STATE.offline },
];
const payload = Uint8Array.of(1, 2, 3);
const process = 'kN3_x-Ab0Qw';
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const ANNOUNCEMENTS: Announcement[] = [
  { kind: 'changes', process, n: 7, standings },
  { kind: 'lease', process, n: 300, count: 2, digest: 2n ** 64n - 1n },
  { kind: 'roster', process, n: 7, index: 1, total: 2, standings },
  { kind: 'goodbye', process },
  { kind: 'part', process, n: 9, after: 8, payload },
  { kind: 'whole', process, n: 9, payload: new Uint8Array() },
  { kind: 'typing', member: 'ada' },
  { kind: 'typing', member: 'ada', thread: 'Qp' },
];
const QUESTIONS: Question[] = [
  { kind: 'rosters', others: true, held: [{ process, digest: 5n }] },
  { kind: 'topics', topics: ['acme/canvas/a', 'acme/canvas/b@2'] },
  { kind: 'topics', process, topics: [] },
  { kind: 'word', topic: 'acme/canvas/a', payload },
];

describe('what processes say about presence', () => {
  it.each(ANNOUNCEMENTS)('$kind is read as it was written', (said) => {
    expect(decodeAnnouncement(encodeAnnouncement(said))).toEqual(said);
  });

  it.each(QUESTIONS)('the question for $kind is read as it was written', (question) => {
    expect(decodeQuestion(encodeQuestion(question))).toEqual(question);
  });

  it('its wire form is held by these bytes', () => {
    expect(ANNOUNCEMENTS.map((said) => hex(encodeAnnouncement(said)))).toMatchInlineSnapshot(`
      [
        "01000b6b4e335f782d416230517707020861636d652f616461040861636d652f62656e00",
        "01010b6b4e335f782d4162305177ac0202ffffffffffffffff",
        "01020b6b4e335f782d4162305177070102020861636d652f616461040861636d652f62656e00",
        "01030b6b4e335f782d4162305177",
        "01040b6b4e335f782d4162305177090803010203",
        "01050b6b4e335f782d41623051770900",
        "01060361646100",
        "010603616461025170",
      ]
    `);
    expect(QUESTIONS.map((question) => hex(encodeQuestion(question)))).toMatchInlineSnapshot(`
      [
        "010001010b6b4e335f782d41623051770000000000000005",
        "010100020d61636d652f63616e7661732f610f61636d652f63616e7661732f624032",
        "01010b6b4e335f782d416230517700",
        "01020d61636d652f63616e7661732f6103010203",
      ]
    `);
  });

  it('R11 what is of a newer version, cut off, longer or random is not heard, and nothing throws', () => {
    const all = [
      ...ANNOUNCEMENTS.map((said) => [decodeAnnouncement, encodeAnnouncement(said)] as const),
      ...QUESTIONS.map((question) => [decodeQuestion, encodeQuestion(question)] as const),
    ];
    for (const [decode, bytes] of all) {
      expect(decode(Uint8Array.of(PRESENCE_VERSION + 1, ...bytes.subarray(1)))).toBeUndefined();
      for (let end = 0; end < bytes.length; end++) expect(decode(bytes.subarray(0, end))).toBeUndefined();
      expect(decode(Uint8Array.of(...bytes, 0))).toBeUndefined();
      for (let at = 0; at < bytes.length; at++)
        for (const byte of [0, 1, 127, 255]) decode(bytes.with(at, byte));
    }
  });

  const BAD: [what: string, said: Announcement][] = [
    ['a process that is no id', { kind: 'goodbye', process: 'a b' }],
    ['a member that is no id', { kind: 'typing', member: '' }],
    ['a key without a workspace', { kind: 'changes', process, n: 1, standings: [{ key: 'ada', state: 2 }] }],
    ['a key of three words', { kind: 'changes', process, n: 1, standings: [{ key: 'a/b/c', state: 2 }] }],
    ['a state that is none', { kind: 'changes', process, n: 1, standings: [{ key: 'a/b', state: 9 as 2 }] }],
    ['a part beyond the last', { kind: 'roster', process, n: 1, index: 2, total: 2, standings }],
    ['a roster of too many parts', { kind: 'roster', process, n: 1, index: 2, total: 1_000, standings }],
    [
      'more members than a message may have',
      { kind: 'changes', process, n: 1, standings: Array.from({ length: 1_001 }, () => standings[0]!) },
    ],
  ];
  it.each(BAD)('R10 R11 %s is not heard', (_, said) => {
    expect(decodeAnnouncement(encodeAnnouncement(said))).toBeUndefined();
  });
});
