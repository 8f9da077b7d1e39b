import * as decoding from 'lib0/decoding';
import * as encoding from 'lib0/encoding';
import { canonical } from './ids.ts';
import { changesName } from './names.ts';
import { isVersion, type Version } from './strong.ts';
import { CHANGE_VERSION, ENVELOPE_VERSION, FIRST_VERSION } from './versions.ts';

/** One changed cell. The larger `(v, value text)` wins; `v` compares as text (see order.ts in replica). */
export type Cell = { scope: string; key: string; v: string; value: unknown };

/** What one NATS message carries between regions. An update or cells are a row of the log, see Row in replica. */
export type Entry =
  | { kind: 'update'; name: string; bytes: Uint8Array; member?: string }
  | { kind: 'cells'; scope: string; cells: Omit<Cell, 'scope'>[] }
  | { kind: 'heartbeat'; sentAt: number; incarnation: string }
  | { kind: 'change'; version: Version };

/** The name (document or scope) that an entry is about; `-/heartbeat` for a heartbeat. */
export function nameOfEntry(entry: Entry): string {
  switch (entry.kind) {
    case 'update':
      return entry.name;
    case 'cells':
      return entry.scope;
    case 'heartbeat':
      return '-/heartbeat';
    case 'change':
      return changesName(entry.version.workspace);
  }
}

/** Names that version 2 brought: regions before it keep what is about them until they are upgraded. */
const NEWER_NAME = /^[^/]*\/(?:about|version)\//;

const versionOf = (entry: Entry): number =>
  entry.kind === 'change' || NEWER_NAME.test(nameOfEntry(entry)) ? CHANGE_VERSION : FIRST_VERSION;

const KINDS = ['update', 'cells', 'heartbeat', 'change'] as const;

/**
 * Wire form: version byte, kind byte, then the fields in the order below, as lib0 writes them
 * (variable-length integers, length-prefixed UTF-8 and bytes). Held by golden bytes in a test.
 */
export function encodeEntry(entry: Entry): Uint8Array {
  const to = encoding.createEncoder();
  encoding.writeUint8(to, versionOf(entry));
  encoding.writeUint8(to, KINDS.indexOf(entry.kind));
  switch (entry.kind) {
    case 'update':
      encoding.writeVarString(to, entry.name);
      encoding.writeVarString(to, entry.member ?? '');
      encoding.writeVarUint8Array(to, entry.bytes);
      break;
    case 'cells':
      encoding.writeVarString(to, entry.scope);
      encoding.writeVarUint(to, entry.cells.length);
      for (const cell of entry.cells) {
        encoding.writeVarString(to, cell.key);
        encoding.writeVarString(to, cell.v);
        encoding.writeVarString(to, JSON.stringify(cell.value));
      }
      break;
    case 'heartbeat':
      encoding.writeVarUint(to, entry.sentAt);
      encoding.writeVarString(to, entry.incarnation);
      break;
    case 'change':
      encoding.writeVarString(to, canonical(entry.version));
      break;
  }
  return encoding.toUint8Array(to);
}

export type Decoded =
  | { ok: true; entry: Entry }
  /** Written by a newer version: kept as it is until this region is upgraded. */
  | { ok: false; reason: 'newer'; version: number }
  /** Not an envelope at all. */
  | { ok: false; reason: 'malformed' };

/** Reads an envelope; never throws, whatever the bytes are. */
export function decodeEntry(bytes: Uint8Array): Decoded {
  const malformed: Decoded = { ok: false, reason: 'malformed' };
  if (bytes.length < 2) return malformed;
  const version = bytes[0]!;
  if (version > ENVELOPE_VERSION) return { ok: false, reason: 'newer', version };
  try {
    const from = decoding.createDecoder(bytes);
    decoding.readUint8(from);
    const kind = KINDS[decoding.readUint8(from)];
    if (kind === undefined) return malformed;
    const entry = readFields(kind, from);
    return decoding.hasContent(from) ? malformed : { ok: true, entry };
  } catch {
    return malformed;
  }
}

function readFields(kind: (typeof KINDS)[number], from: decoding.Decoder): Entry {
  if (kind === 'heartbeat')
    return { kind, sentAt: decoding.readVarUint(from), incarnation: decoding.readVarString(from) };
  if (kind === 'update') {
    const name = decoding.readVarString(from);
    const member = decoding.readVarString(from);
    const bytes = decoding.readVarUint8Array(from).slice();
    return member === '' ? { kind, name, bytes } : { kind, name, bytes, member };
  }
  if (kind === 'change') {
    const version: unknown = JSON.parse(decoding.readVarString(from));
    if (!isVersion(version)) throw new TypeError('no version of a strong log');
    return { kind, version };
  }
  const scope = decoding.readVarString(from);
  const cells: Omit<Cell, 'scope'>[] = [];
  for (let left = decoding.readVarUint(from); left > 0; left--) {
    const key = decoding.readVarString(from);
    const v = decoding.readVarString(from);
    cells.push({ key, v, value: JSON.parse(decoding.readVarString(from)) });
  }
  return { kind, scope, cells };
}
