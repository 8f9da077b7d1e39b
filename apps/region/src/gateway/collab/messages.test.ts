import * as decoding from 'lib0/decoding';
import * as encoding from 'lib0/encoding';
import { inflateRawSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { Messages, readMessage } from './messages.ts';

const ADDRESS = 'acme/segment/general/1';

const auth = (...texts: string[]): Uint8Array => {
  const to = encoding.createEncoder();
  encoding.writeVarString(to, ADDRESS);
  encoding.writeVarUint(to, 2);
  encoding.writeVarUint(to, 0);
  for (const text of texts) encoding.writeVarString(to, text);
  return encoding.toUint8Array(to);
};

test('a client says after its version that it inflates, and stock providers do not', () => {
  const signedIn = { address: ADDRESS, kind: 'auth', token: 'token' };
  expect(readMessage(auth('token'))).toEqual({ ...signedIn, inflates: false });
  expect(readMessage(auth('token', '4.7.0'))).toEqual({ ...signedIn, inflates: false });
  expect(readMessage(auth('token', '4.7.0', 'deflate'))).toEqual({ ...signedIn, inflates: true });
});

test('a large message is deflated from its type on, a small one stays as it is', () => {
  const messages = new Messages(ADDRESS);
  const small = messages.stateless('small');
  expect(messages.deflated(small)).toBe(small);
  const large = messages.step2(new Uint8Array(5_000));
  const deflated = messages.deflated(large);
  expect(deflated.length).toBeLessThan(200);
  const from = decoding.createDecoder(deflated);
  expect([decoding.readVarString(from), decoding.readVarUint(from)]).toEqual([ADDRESS, 100]);
  const content = inflateRawSync(decoding.readVarUint8Array(from));
  expect(new Uint8Array(content)).toEqual(large.subarray(ADDRESS.length + 1));
  expect(messages.deflatedStep2(new Uint8Array(5_000))).toEqual(deflated);
  expect(messages.deflatedStep2(new Uint8Array(50))).toEqual(messages.step2(new Uint8Array(50)));
});
