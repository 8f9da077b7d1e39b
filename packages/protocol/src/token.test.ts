import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Token } from './commands.ts';
import { base64url, fromBase64url } from './ids.ts';
import { LIMITS } from './limits.ts';
import { decodeToken, encodeToken } from './token.ts';

const TOKEN: Token = [
  { document: 'acme/segment/general/3', client: 2 ** 53 - 1, clock: 7 },
  { scope: 'acme/message/general/Qp', key: '👍|ada', v: '0mcw5f3k8w0.Qp' },
];

const text = (value: unknown): string => base64url(new TextEncoder().encode(JSON.stringify(value)));

describe('base64url', () => {
  it('reads what it wrote, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 50 }), (bytes) => {
        expect(fromBase64url(base64url(bytes))).toEqual(bytes);
        expect(base64url(bytes)).toBe(Buffer.from(bytes).toString('base64url'));
      }),
      { seed: 1, numRuns: 500 },
    );
  });
});

describe('tokens as text', () => {
  it('come back as they were, and stand unescaped in an address', () => {
    const encoded = encodeToken(TOKEN);
    expect(encodeURIComponent(encoded)).toBe(encoded);
    expect(decodeToken(encoded)).toEqual(TOKEN);
    expect(decodeToken(encodeToken([]))).toEqual([]);
  });

  it.each([
    ['nothing', ''],
    ['no base64url', 'a+b/'],
    ['no JSON', base64url(new Uint8Array([1, 2, 3]))],
    ['no list', text({})],
    ['an entry that is no list', text(['x'])],
    ['an entry that is too long', text([['acme/canvas/x', 1, 1, 1]])],
    ['a document that is a scope', text([['acme/channel/general', 1, 1]])],
    ['a scope that is a document', text([['acme/canvas/x', 'key', 'v']])],
    ['a name that is none', text([['acme//x', 1, 1]])],
    ['a negative clock', text([['acme/canvas/x', 1, -1]])],
    ['half a clock', text([['acme/canvas/x', 1, 0.5]])],
    ['a value without order', text([['acme/channel/general', 'topic', null]])],
    [
      'too many entries',
      text(Array.from({ length: LIMITS.tokenEntries + 1 }, () => ['acme/canvas/x', 1, 1])),
    ],
  ])('%s is refused as a bad request', (_, bad) => {
    expect(() => decodeToken(bad)).toThrowError(expect.objectContaining({ code: 'invalid-request' }));
  });

  it('R10 never throws anything else, whatever the text is', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.base64String(),
          fc.json().map((json) => text(json)),
        ),
        (bad) => {
          try {
            decodeToken(bad);
          } catch (error) {
            expect(error).toMatchObject({ code: 'invalid-request' });
          }
        },
      ),
      { seed: 1, numRuns: 1_000 },
    );
  });
});
