import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeEntry, encodeEntry, nameOfEntry, type Entry } from './envelope.ts';
import { digestOf, firstHead, type Version } from './strong.ts';
import { ENVELOPE_VERSION } from './versions.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'));

const VERSION: Version = {
  workspace: 'acme',
  version: 1,
  before: firstHead('acme').digest,
  salt: 'AAAAAAAAAAAAAAAAAAAAAA',
  changes: [
    {
      id: 'BBBBBBBBBBBBBBBBBBBBBB',
      by: 'ada',
      at: 1_700_000_000_000,
      deed: { kind: 'create-channel', slug: 'plans', private: true, members: ['ben'] },
    },
  ],
};

/** What is on the wire and in the streams of other regions. Change one and you need a new version. */
const GOLDEN: { what: string; entry: Entry; bytes: string }[] = [
  {
    what: 'an update of a segment',
    entry: { kind: 'update', name: 'acme/segment/general/1', bytes: Uint8Array.of(1, 2, 255) },
    bytes: '01001661636d652f7365676d656e742f67656e6572616c2f3100030102ff',
  },
  {
    what: 'an update of a canvas, with its member',
    entry: { kind: 'update', name: 'acme/canvas/plan', bytes: new Uint8Array(0), member: 'ada' },
    bytes: '01001061636d652f63616e7661732f706c616e0361646100',
  },
  {
    what: 'cells',
    entry: {
      kind: 'cells',
      scope: 'acme/channel/general',
      cells: [
        { key: 'top|us', v: '00000000002', value: 2 },
        { key: 'topic', v: '0hwuzkrzk00.x', value: { text: 'é', by: 'ada' } },
      ],
    },
    bytes:
      '01011461636d652f6368616e6e656c2f67656e6572616c0206746f707c75730b3030303030303030303032013205746f70' +
      '69630d306877757a6b727a6b30302e78187b2274657874223a22c3a9222c226279223a22616461227d',
  },
  {
    what: 'cells about a canvas',
    entry: { kind: 'cells', scope: 'acme/about/plan', cells: [{ key: 'right|*', v: '1', value: 'view' }] },
    bytes: '02010f61636d652f61626f75742f706c616e010772696768747c2a013106227669657722',
  },
  {
    what: 'a version of a canvas',
    entry: { kind: 'update', name: 'acme/version/plan/v', bytes: Uint8Array.of(1) },
    bytes: '02001361636d652f76657273696f6e2f706c616e2f76000101',
  },
  {
    what: 'a heartbeat',
    entry: { kind: 'heartbeat', sentAt: 1_700_000_000_000, incarnation: 'i1' },
    bytes: '010280d095ffbc31026931',
  },
  {
    what: 'a change of a strong log',
    entry: { kind: 'change', version: VERSION },
    bytes:
      '020392027b226265666f7265223a226a30675f70784a7667306334707034514c336338646d4c31575a4a6c3351304553' +
      '5f49794a7a6c4d31696f222c226368616e676573223a5b7b226174223a313730303030303030303030302c226279223a' +
      '22616461222c2264656564223a7b226b696e64223a226372656174652d6368616e6e656c222c226d656d62657273223a' +
      '5b2262656e225d2c2270726976617465223a747275652c22736c7567223a22706c616e73227d2c226964223a22424242' +
      '42424242424242424242424242424242424242227d5d2c2273616c74223a224141414141414141414141414141414141' +
      '4141414141222c2276657273696f6e223a312c22776f726b7370616365223a2261636d65227d',
  },
];

const text = fc.string({ unit: 'grapheme', maxLength: 30 });
const entries: fc.Arbitrary<Entry> = fc.oneof(
  fc.record(
    { kind: fc.constant('update' as const), name: text, bytes: fc.uint8Array(), member: fc.constant('ada') },
    { requiredKeys: ['kind', 'name', 'bytes'] },
  ),
  fc.record({
    kind: fc.constant('cells' as const),
    scope: text,
    cells: fc.array(fc.record({ key: text, v: text, value: fc.jsonValue({ noUnicodeString: false }) })),
  }),
  fc.record({ kind: fc.constant('heartbeat' as const), sentAt: fc.maxSafeNat(), incarnation: text }),
  fc.record({
    kind: fc.constant('change' as const),
    version: fc.nat().map((at) => ({ ...VERSION, changes: [{ ...VERSION.changes[0]!, at }] })),
  }),
);

describe('the envelope between regions', () => {
  for (const { what, entry, bytes } of GOLDEN)
    it(`golden bytes: ${what}`, () => {
      expect(hex(encodeEntry(entry))).toBe(bytes);
      expect(decodeEntry(bytesOf(bytes))).toEqual({ ok: true, entry });
    });

  it('R7 golden digest: the chain is the same in every version', () => {
    expect(firstHead('acme').digest).toBe('j0g_pxJvg0c4pp4QL3c8dmL1WZJl3Q0ES_IyJzlM1io');
    expect(digestOf(VERSION)).toBe('yNaj8dHtg0S7IPoweUEAB2KEcimh13hJ5Gdheq2nZ4o');
    expect(digestOf({ ...VERSION, salt: 'AAAAAAAAAAAAAAAAAAAAAB' })).not.toBe(digestOf(VERSION));
  });

  it('R3 what is encoded decodes to the same', () => {
    fc.assert(
      fc.property(entries, (entry) => {
        const same = JSON.parse(JSON.stringify(entry)) as unknown;
        const decoded = decodeEntry(encodeEntry(entry));
        expect(decoded.ok && (JSON.parse(JSON.stringify(decoded.entry)) as unknown)).toEqual(same);
      }),
      { seed: 1, numRuns: 1_000 },
    );
  });

  it('never throws, whatever the bytes are', () => {
    const mutated = fc
      .tuple(entries, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }), fc.nat())
      .map(([entry, changes, cut]) => {
        const bytes = encodeEntry(entry);
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        return cut % 2 === 0 ? bytes.subarray(0, cut % (bytes.length + 1)) : bytes;
      });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), mutated), (bytes) => {
        const decoded = decodeEntry(bytes);
        if (decoded.ok) expect(typeof nameOfEntry(decoded.entry)).toBe('string');
      }),
      { seed: 1, numRuns: 20_000 },
    );
  });

  it('a message cut short is malformed, also as a part of a larger buffer', () => {
    for (const { bytes } of GOLDEN) {
      const whole = bytesOf(bytes);
      const pool = new Uint8Array(whole.length + 64).fill(1);
      pool.set(whole);
      for (let length = 0; length < whole.length; length++)
        expect(decodeEntry(pool.subarray(0, length))).toEqual({ ok: false, reason: 'malformed' });
    }
  });

  it('what follows a message makes it malformed', () => {
    for (const { bytes } of GOLDEN)
      expect(decodeEntry(bytesOf(`${bytes}00`))).toEqual({ ok: false, reason: 'malformed' });
  });

  it('a newer version is recognised, whatever it holds', () => {
    for (const version of [ENVELOPE_VERSION + 1, 255])
      expect(decodeEntry(Uint8Array.of(version, 99, 7))).toEqual({ ok: false, reason: 'newer', version });
  });

  it('what was decoded does not change with the buffer that it came in', () => {
    const bytes = bytesOf(GOLDEN[0]!.bytes);
    const decoded = decodeEntry(bytes);
    bytes.fill(0);
    expect(decoded).toEqual({ ok: true, entry: GOLDEN[0]!.entry });
  });
});
