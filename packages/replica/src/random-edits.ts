import * as fc from 'fast-check';
import * as Y from 'yjs';

/* Random histories of Yjs documents, for tests of what must hold for all of them. */

/** Random numbers from a seed; kept as they are, since the seeds below depend on them. */
function randomOf(seed: number): (limit: number) => number {
  let state = (seed * 2654435761) >>> 0;
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

/** Four people write XML and hear of each other now and then; their updates, in random order. */
export function world(seed: number): Uint8Array[] {
  const random = randomOf(seed);
  const updates: Uint8Array[] = [];
  const docs = [1, 2, 3, 4].map((client) => {
    const doc = new Y.Doc();
    doc.clientID = client;
    doc.on('update', (bytes: Uint8Array, origin: unknown) => {
      if (origin !== 'peer') updates.push(bytes);
    });
    return doc;
  });
  for (let step = 0; step < 40; step++) {
    const doc = docs[random(4)]!;
    if (random(3) === 0 && updates.length > 0)
      for (let n = 0; n < 3; n++) Y.applyUpdate(doc, updates[random(updates.length)]!, 'peer');
    else if (random(6) === 0) Y.applyUpdate(doc, Y.encodeStateAsUpdate(docs[random(4)]!), 'peer');
    else write(doc, step, random);
  }
  for (let at = updates.length - 1; at > 0; at--) {
    const other = random(at + 1);
    [updates[at], updates[other]] = [updates[other]!, updates[at]!];
  }
  return updates;
}

function write(doc: Y.Doc, step: number, random: (limit: number) => number): void {
  const places: (Y.XmlFragment | Y.XmlElement)[] = [doc.getXmlFragment('x')];
  for (let at = 0; at < places.length; at++)
    for (const child of places[at]!.toArray()) if (child instanceof Y.XmlElement) places.push(child);
  const place = places[random(places.length)]!;
  const kind = random(5);
  if (kind <= 1 || place.length === 0)
    place.insert(random(place.length + 1), [random(2) ? new Y.XmlElement('p') : new Y.XmlText('ab')]);
  else if (kind === 2) place.delete(random(place.length), 1);
  else if (kind === 3) {
    const text = place.toArray().find((child): child is Y.XmlText => child instanceof Y.XmlText);
    if (text !== undefined) text.insert(random(text.length + 1), 'xy');
  } else if (place instanceof Y.XmlElement) place.setAttribute(`k${random(2)}`, String(step));
}

/** Who edits what, or hears of what; numbers are taken modulo what there is. */
type Step = { author: number; what: 'xml' | 'attribute' | 'map' | 'text' | 'erase' | 'hear'; where: number };

const AUTHORS = 4;
const step: fc.Arbitrary<Step> = fc.record({
  author: fc.nat(AUTHORS - 1),
  what: fc.constantFrom('xml', 'attribute', 'map', 'text', 'erase', 'hear', 'hear'),
  where: fc.nat(10_000),
});
export const steps = fc.array(step, { minLength: 5, maxLength: 40 });

/** The updates of authors who take these steps. */
export function updatesOf(steps: readonly Step[]): Uint8Array[] {
  const updates: Uint8Array[] = [];
  const docs = Array.from({ length: AUTHORS }, (_, client) => {
    const doc = new Y.Doc();
    doc.clientID = client + 1;
    doc.on('update', (bytes: Uint8Array, origin: unknown) => {
      if (origin !== 'peer') updates.push(bytes);
    });
    return doc;
  });
  for (const [at, { author, what, where }] of steps.entries()) {
    const doc = docs[author]!;
    if (what !== 'hear') take(doc, what, where, `${at}`);
    else if (updates.length > 0) Y.applyUpdate(doc, updates[where % updates.length]!, 'peer');
  }
  return updates;
}

function take(doc: Y.Doc, what: Exclude<Step['what'], 'hear'>, where: number, value: string): void {
  const fragment = doc.getXmlFragment('x');
  const text = doc.getText('t');
  const elements = fragment.toArray().filter((child) => child instanceof Y.XmlElement);
  const element = elements[where % elements.length];
  if (what === 'map') doc.getMap('m').set(`k${where % 3}`, value);
  else if (what === 'text') text.insert(where % (text.length + 1), value);
  else if (what === 'attribute') element?.setAttribute(`k${where % 2}`, value);
  else if (what === 'xml') {
    const place = where % 2 === 0 ? fragment : (element ?? fragment);
    place.insert(where % (place.length + 1), [new Y.XmlElement('p')]);
  } else {
    if (text.length > 0) text.delete(where % text.length, 1);
    if (fragment.length > 0) fragment.delete(where % fragment.length, 1);
  }
}

/** From where to where an update is moved in an order of delivery, modulo its length. */
export type Move = readonly [from: number, to: number];
export const moves = (maxLength: number): fc.Arbitrary<Move[]> =>
  fc.array(fc.tuple(fc.nat(10_000), fc.nat(10_000)), { maxLength });

/** Each update once, in an order that differs from the given one by these moves. */
export function moved(updates: readonly Uint8Array[], moves: readonly Move[]): Uint8Array[] {
  const order = [...updates];
  if (order.length === 0) return order;
  for (const [from, to] of moves) {
    const [update] = order.splice(from % order.length, 1);
    order.splice(to % (order.length + 1), 0, update!);
  }
  return order;
}
