import { sha256 } from '@noble/hashes/sha2.js';

/**
 * Ids. Everything that a person or a program names is 1-64 characters of `A-Z a-z 0-9 _ -`,
 * so that it can stand unescaped in a document name, a NATS subject, a URL and a log line.
 */
export const ID = /^[A-Za-z0-9_-]{1,64}$/;

export const isId = (text: string): boolean => ID.test(text);

/** 128 bits as base64url without padding: 22 characters. */
export const HASH_ID = /^[A-Za-z0-9_-]{22}$/;

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** Unpadded base64url (RFC 4648 section 5); written out because browsers and Node share this file. */
export function base64url(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += 3) {
    const left = bytes.length - i;
    const word =
      ((bytes[i] ?? 0) << 16) | ((left > 1 ? bytes[i + 1]! : 0) << 8) | (left > 2 ? bytes[i + 2]! : 0);
    const digits = left >= 3 ? 4 : left + 1;
    for (let d = 0; d < digits; d++) text += ALPHABET[(word >> (18 - 6 * d)) & 63];
  }
  return text;
}

/** Reads what `base64url` wrote; throws RangeError for anything else. */
export function fromBase64url(text: string): Uint8Array {
  if (!/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1) throw new RangeError('no base64url');
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4));
  let word = 0;
  let at = 0;
  for (let i = 0; i < text.length; i++) {
    word = ((word << 6) | ALPHABET.indexOf(text[i]!)) & 0xffffff;
    // Digit 2, 3 and 4 of every four complete a byte: 4, 2 and 0 bits are left over.
    if (i % 4 > 0) bytes[at++] = word >> (6 - 2 * (i % 4));
  }
  return bytes;
}

/**
 * The one text of a value: object keys sorted, absent fields left out, no white space.
 * Two programs that mean the same command hash the same bytes.
 */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (value !== null && typeof value === 'object') {
    const fields = Object.entries(value)
      .filter(([, field]) => field !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, field]) => `${JSON.stringify(key)}:${canonical(field)}`);
    return `{${fields.join(',')}}`;
  }
  return JSON.stringify(value);
}

/** The first 128 bits of SHA-256 over the canonical text of `content`, as 22 base64url characters. */
export function contentId(content: unknown): string {
  return base64url(sha256(new TextEncoder().encode(canonical(content))).subarray(0, 16));
}
