import { describe, expect, it } from 'vitest';
import { rounds, type PlanOptions, type Round } from './plan.ts';

const REGIONS = ['us-east', 'eu-west', 'ap-south'];

function first(count: number, options: Partial<PlanOptions> = {}): Round[] {
  const all = rounds({ seed: 1, regions: REGIONS, servers: ['server', 'server-2'], ...options });
  return Array.from({ length: count }, () => all.next().value);
}

describe('the plan of a torture run', () => {
  it('is the same for the same seed, and another one for another', () => {
    expect(first(9)).toEqual(first(9));
    expect(first(9, { seed: 2 })).not.toEqual(first(9));
  });

  it('meets every kind of fault within eight rounds', () => {
    const kinds = first(8).flatMap(({ process, link, wipe }) => [
      ...[...process, ...link].map(({ kind }) => kind),
      ...(wipe === undefined ? [] : ['wipe']),
    ]);
    expect(new Set(kinds).size).toBe(19);
  });

  it('joins two different regions by a link fault, and has none in a world of one', () => {
    for (const { link } of first(20)) for (const { region, peer } of link) expect(region).not.toBe(peer);
    expect(first(3, { regions: ['us-east'] }).flatMap(({ link }) => link)).toEqual([]);
  });
});
