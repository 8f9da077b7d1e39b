/**
 * Array literals of Postgres, written here because this is the hot path: the client's own way
 * looks up a serializer and runs a regular expression per element, and wants to know array types
 * from the catalogue first.
 */
export const textArray = (items: readonly (string | null)[]): string =>
  `{${items.map((item) => (item === null ? 'NULL' : quoted(item))).join(',')}}`;

export const bytesArray = (items: readonly (Uint8Array | null)[]): string =>
  `{${items.map((item) => (item === null ? 'NULL' : `"\\\\x${hex(item)}"`)).join(',')}}`;

export const numberArray = (items: readonly number[]): string => `{${items.join(',')}}`;

export const booleanArray = (items: readonly boolean[]): string =>
  `{${items.map((item) => (item ? 't' : 'f')).join(',')}}`;

const SPECIAL = /["\\]/g;
const quoted = (item: string): string => `"${item.replace(SPECIAL, '\\$&')}"`;

const hex = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
