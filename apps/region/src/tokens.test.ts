import { beforeAll, describe, expect, it } from 'vitest';
import { manifestForTests, regionInMemory, type RegionInMemory } from './region-in-memory.ts';
import { Tokens } from './tokens.ts';

let region: RegionInMemory;
beforeAll(async () => {
  region = await regionInMemory();
});

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const soon = Math.floor(Date.now() / 1000) + 600;
const unsigned = `${part({ alg: 'none', kid: 'us-east' })}.${part({ sub: 'ada', ws: 'acme-id', aud: 'causeway', exp: soon })}.`;

describe('tokens', () => {
  it('a valid one tells who speaks, where, who signed and until when', async () => {
    const identity = await region.tokens.verify(await region.token({ exp: soon }));
    expect(identity).toEqual({
      member: 'ada',
      workspace: 'acme-id',
      signedBy: 'us-east',
      expires: soon * 1000,
    });
  });

  const BAD: [what: string, make: () => Promise<string | undefined> | string | undefined][] = [
    ['none', () => undefined],
    ['an empty one', () => ''],
    ['text', () => 'hello'],
    ['an expired one', () => region.token({ exp: soon - 700 })],
    ['one without an end', () => region.token({ exp: undefined as never })],
    ['one that is not valid yet', () => region.token({ nbf: soon })],
    ['one for another audience', () => region.token({ aud: 'elsewhere' })],
    ['one without a member', () => region.token({ sub: undefined as never })],
    ['one whose member is no id', () => region.token({ sub: 'a/b' })],
    ['one whose workspace is no text', () => region.token({ ws: 5 })],
    ['an unsigned one (alg none)', () => unsigned],
    ['one whose signature was changed', async () => (await region.token()).replace(/.{4}$/, 'AAAA')],
    [
      'one whose claims were changed',
      async () => {
        const [header, , signature] = (await region.token()).split('.');
        return `${header}.${part({ sub: 'ben', ws: 'acme-id', aud: 'causeway', exp: soon })}.${signature}`;
      },
    ],
    [
      'one that names another signer',
      async () => {
        const [, claims, signature] = (await region.token()).split('.');
        return `${part({ alg: 'EdDSA', kid: 'eu-west' })}.${claims}.${signature}`;
      },
    ],
    [
      'one of an unknown signer',
      async () => {
        const [, claims, signature] = (await region.token()).split('.');
        return `${part({ alg: 'EdDSA', kid: '__proto__' })}.${claims}.${signature}`;
      },
    ],
  ];
  it.each(BAD)('%s is unauthorized, and the error does not quote it', async (_, make) => {
    const token = await make();
    const error = await region.tokens.verify(token).catch((error: unknown) => error as Error);
    expect(error).toMatchObject({ code: 'unauthorized' });
    if (token !== undefined && token.length > 10) expect(String(error)).not.toContain(token);
  });

  it('a token that was verified before is refused once it has expired', async () => {
    const token = await region.token({ exp: Math.ceil(Date.now() / 1000) + 1 });
    const { expires } = await region.tokens.verify(token);
    await expect
      .poll(() => region.tokens.verify(token).catch(({ code }: { code: string }) => code), { timeout: 5_000 })
      .toBe('unauthorized');
    expect(Date.now()).toBeGreaterThanOrEqual(expires);
  });

  it('a manifest whose key is no Ed25519 key is named', async () => {
    const config = await manifestForTests();
    config.regions[1]!.publicKey.x = '!';
    await expect(Tokens.open({ ...config, logLevel: 'info' })).rejects.toThrow(
      'the public key of region eu-west',
    );
  });
});
