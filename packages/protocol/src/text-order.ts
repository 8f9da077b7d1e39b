/**
 * Orders text as its UTF-8 bytes do, which is what `COLLATE "C"` does in Postgres. Plain `<`
 * compares UTF-16 units and puts U+1F600 before U+FF5E; two regions on two stores would then
 * keep two winners of one cell.
 */
export function compareText(a: string, b: string): number {
  const shared = Math.min(a.length, b.length);
  for (let at = 0; at < shared; at++) {
    const left = a.charCodeAt(at);
    const right = b.charCodeAt(at);
    if (left !== right) return byteRank(left) - byteRank(right);
  }
  return a.length - b.length;
}

/** Moves surrogates, the halves of what is above U+FFFF, behind all other units. */
const byteRank = (unit: number): number =>
  unit >= 0xe000 ? unit - 0x800 : unit >= 0xd800 ? unit + 0x2000 : unit;
