import * as encoding from 'lib0/encoding';
import * as Y from 'yjs';
import type { SeededRandom } from '../sim/seeded-random.ts';

/** Bytes over what any door takes, and a little over what the socket itself does. */
const OVERSIZED = [1_100_000, 2_200_000];

/** Real updates and state vectors of a document with some of everything, to be bent. */
export function realUpdates(random: SeededRandom): { updates: Uint8Array[]; vectors: Uint8Array[] } {
  const doc = new Y.Doc();
  doc.clientID = 1 + random.below(2 ** 31);
  const updates: Uint8Array[] = [];
  const vectors: Uint8Array[] = [];
  doc.on('update', (update: Uint8Array) => {
    updates.push(update);
    vectors.push(Y.encodeStateVector(doc));
  });
  const text = doc.getText('text');
  for (let n = 0; n < 12; n++) {
    text.insert(random.below(text.length + 1), `word ${n} `);
    if (n % 3 === 2) text.delete(0, 3);
    if (n % 4 === 3) text.format(0, 2, { bold: true });
    doc.getMap('map').set(`key ${n % 5}`, { n, nested: [n, { deep: true }] });
    doc.getXmlFragment('xml').push([new Y.XmlElement('p'), new Y.XmlText('x')]);
    doc.getArray('list').push([n, new Uint8Array([n]), null]);
  }
  updates.push(Y.encodeStateAsUpdate(doc), Y.encodeStateAsUpdateV2(doc));
  return { updates, vectors };
}

/** Nothing that anybody sends: of a few bytes to a few thousand, with a taste for what looks like a length. */
export function noise(random: SeededRandom): Uint8Array {
  const bytes = random.bytes(1 + random.below(random.chance(5) ? 4_000 : 60));
  if (random.chance(30)) bytes.fill(0xff, random.below(bytes.length));
  return bytes;
}

/** A frame of the right shape that promises more than it holds. */
export function bomb(random: SeededRandom, types: readonly number[]): Uint8Array {
  const to = encoding.createEncoder();
  for (const type of types) encoding.writeVarUint(to, type);
  encoding.writeVarUint(to, random.pick([2 ** 31, 2 ** 40, Number.MAX_SAFE_INTEGER, 2 ** 20]));
  encoding.writeUint8Array(to, random.bytes(random.below(20)));
  return encoding.toUint8Array(to);
}

export const oversized = (random: SeededRandom): Uint8Array =>
  new Uint8Array(random.pick(OVERSIZED)).fill(random.below(256));

/** The frame, bent: cut off, with flipped bits, with more behind it, with a piece twice, or with another piece in it. */
export function bent(random: SeededRandom, frame: Uint8Array): Uint8Array {
  if (frame.length === 0) return noise(random);
  const at = random.below(frame.length);
  switch (random.below(5)) {
    case 0:
      return frame.slice(0, at);
    case 1: {
      const copy = frame.slice();
      for (let n = 1 + random.below(4); n > 0; n--) copy[random.below(copy.length)]! ^= 1 << random.below(8);
      return copy;
    }
    case 2:
      return joined(frame, noise(random));
    case 3:
      return joined(frame.slice(0, at), frame);
    default: {
      const copy = frame.slice();
      copy.set(random.bytes(Math.min(8, copy.length - at)), at);
      return copy;
    }
  }
}

function joined(...parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}
