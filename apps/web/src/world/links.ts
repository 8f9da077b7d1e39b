import type { Road } from './control.ts';

/** Both directions of one link. */
export type Link = { a: string; b: string; delayMs: number; cut: boolean };

/** A link is cut when one of its directions is; its delay is that of the slower one. */
export function linksOf(roads: readonly Road[]): Link[] {
  const links = new Map<string, Link>();
  for (const { from, to, delayMs, cut } of roads) {
    const known = links.get(`${to} ${from}`);
    if (known === undefined) links.set(`${from} ${to}`, { a: from, b: to, delayMs, cut: cut !== undefined });
    else {
      known.delayMs = Math.max(known.delayMs, delayMs);
      known.cut ||= cut !== undefined;
    }
  }
  return [...links.values()];
}
