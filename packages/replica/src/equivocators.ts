import { base64url } from '@causeway/protocol';
import * as Y from 'yjs';

/** A struct as an update carries it: nothing of it is integrated. */
type Struct = Y.Item | Y.GC;
/** `written`: what clients wrote differs; `kept`: only what Yjs has kept of it does. */
type Difference = 'none' | 'kept' | 'written';

/**
 * The clientIDs under which two whole copies of a document hold different things at equal clocks,
 * ascending. Where one copy has collected what was written there, nobody can say what it was: that
 * counts only when there is no other difference.
 */
export function equivocatorsOf(one: Uint8Array, other: Uint8Array): number[] {
  const theirs = structsOf(other);
  const found: Record<Exclude<Difference, 'none'>, number[]> = { kept: [], written: [] };
  for (const [client, structs] of structsOf(one)) {
    const difference = compare(structs, theirs.get(client) ?? []);
    if (difference !== 'none') found[difference].push(client);
  }
  return (found.written.length > 0 ? found.written : found.kept).sort((a, b) => a - b);
}

function structsOf(state: Uint8Array): Map<number, Struct[]> {
  const structs = Y.decodeUpdate(state).structs.filter(
    (struct): struct is Struct => struct instanceof Y.Item || struct instanceof Y.GC,
  );
  return Map.groupBy(structs, ({ id }) => id.client);
}

/** Both in the order of clocks; stretches that only one of them holds are not compared. */
function compare(ones: readonly Struct[], others: readonly Struct[]): Difference {
  let result: Difference = 'none';
  let at = 0;
  for (const one of ones) {
    while (at < others.length && endOf(others[at]!) <= one.id.clock) at++;
    for (let next = at; next < others.length && others[next]!.id.clock < endOf(one); next++) {
      const difference = compareTwo(one, others[next]!);
      if (difference === 'written') return difference;
      if (difference === 'kept') result = difference;
    }
  }
  return result;
}

const endOf = ({ id, length }: Struct): number => id.clock + length;

function compareTwo(one: Struct, other: Struct): Difference {
  if (one instanceof Y.GC || other instanceof Y.GC)
    return one instanceof Y.GC && other instanceof Y.GC ? 'none' : 'kept';
  const from = Math.max(one.id.clock, other.id.clock);
  const length = Math.min(endOf(one), endOf(other)) - from;
  if (placeOf(one, from) !== placeOf(other, from)) return 'written';
  if (isDeleted(one) !== isDeleted(other)) return 'kept';
  if (isDeleted(one)) return 'none';
  const [text, otherText] = [one, other].map((item) => contentOf(item, from - item.id.clock, length));
  return text === otherText ? 'none' : 'written';
}

const isDeleted = ({ content }: Y.Item): boolean => content instanceof Y.ContentDeleted;

/** Where it was put. Inside of an item everything stands behind what is before it. */
function placeOf({ id, origin, rightOrigin, parent, parentSub }: Y.Item, clock: number): string {
  const left = clock > id.clock ? { client: id.client, clock: clock - 1 } : origin;
  // The parent is written only where there is no neighbour that says it.
  const where = left === null && rightOrigin === null ? [parent as string | Y.ID | null, parentSub] : [];
  return JSON.stringify([left, rightOrigin, ...where]);
}

/** A stretch of the content, as Yjs writes it. */
function contentOf({ content, length }: Y.Item, from: number, count: number): string {
  let part = content;
  if (count < length) {
    part = content.copy();
    if (from > 0) part = part.splice(from);
    if (part.getLength() > count) part.splice(count);
  }
  const to = new Y.UpdateEncoderV1();
  part.write(to, 0);
  return `${part.getRef()} ${base64url(to.toUint8Array())}`;
}
