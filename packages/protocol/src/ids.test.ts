import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { commandId, type Command } from './commands.ts';
import { HASH_ID, base64url, canonical, contentId, isId } from './ids.ts';

const options = { seed: 1, numRuns: 1_000 };
const post: Command = {
  kind: 'post',
  workspace: 'acme',
  channel: 'general',
  member: 'ada',
  nonce: 'AAAAAAAAAAAAAAAAAAAAAA',
  body: 'Grüße 👋',
};

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

/** The same value with every object's fields in the opposite order. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .map(([key, field]) => [key, reversed(field)] as const)
      .toReversed(),
  );
}

describe('content ids', () => {
  it('golden value', () => {
    expect(canonical(post)).toBe(
      '{"body":"Grüße 👋","channel":"general","kind":"post","member":"ada","nonce":"AAAAAAAAAAAAAAAAAAAAAA","workspace":"acme"}',
    );
    expect(commandId(post)).toBe('dVVbvnQGy9PRamL0_vrHeQ');
  });

  it('are the first 128 bits of SHA-256 over the canonical text', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const digest = createHash('sha256').update(canonical(value)).digest().subarray(0, 16);
        expect(contentId(value)).toBe(digest.toString('base64url'));
        expect(contentId(value)).toMatch(HASH_ID);
      }),
      options,
    );
  });

  it('R4 do not depend on the order of fields, nor on fields that are absent', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        expect(canonical(reversed(value))).toBe(canonical(value));
        expect(canonical({ ...value, absent: undefined })).toBe(canonical(value));
      }),
      options,
    );
    expect(commandId({ ...post, thread: undefined } as unknown as Command)).toBe(commandId(post));
  });

  it('R12 differ when anything differs: nobody can put other words under an id', () => {
    const changes: Partial<Command>[] = [
      { workspace: 'acmf' },
      { channel: 'random' },
      { member: 'bob' },
      { nonce: 'AAAAAAAAAAAAAAAAAAAAAB' },
      { body: 'Grüsse 👋' },
      { thread: 'AAAAAAAAAAAAAAAAAAAAAA' } as Partial<Command>,
    ];
    const ids = [post, ...changes.map((change) => ({ ...post, ...change }) as Command)].map(commandId);
    expect(new Set(ids).size).toBe(changes.length + 1);
    expect(contentId('\ud800')).not.toBe(contentId('\ud801'));
  });

  it('the canonical text is JSON of the same value, and two values have one text only if they are equal', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
        expect(JSON.parse(canonical(a))).toEqual(plain(a));
        if (canonical(a) === canonical(b)) expect(plain(a)).toEqual(plain(b));
      }),
      options,
    );
  });

  it('base64url is that of RFC 4648 without padding', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(base64url(bytes)).toBe(Buffer.from(bytes).toString('base64url'));
      }),
      options,
    );
  });

  it('an id holds nothing that a subject, a path, a URL or a log line would trip over', () => {
    for (const bad of ['', 'a.b', 'a/b', 'a b', '*', '>', 'ä', 'a\n', 'x'.repeat(65)])
      expect(isId(bad), JSON.stringify(bad)).toBe(false);
    expect(isId(`${'x'.repeat(63)}-`)).toBe(true);
  });
});
