import { describe, expect, it } from 'vitest';
import { simulate } from './worlds/simulation.ts';

/** SIM_SEED=7 replays one world; `npm run simulate` lives thousands. */
const { SIM_SEED, SIM_WORLDS } = process.env;
const FIRST = Number(SIM_SEED ?? 1);
const WORLDS = Number(SIM_WORLDS ?? (SIM_SEED === undefined ? 200 : 1));
/** Worlds in one test. */
const GROUP = 10;

describe('random worlds', () => {
  for (let at = 0; at < WORLDS; at += GROUP) {
    const seeds = Array.from({ length: Math.min(GROUP, WORLDS - at) }, (_, n) => FIRST + at + n);
    it(`R1 R2 R3 R4 R8 R9 R10 R15 seeds ${seeds[0]} to ${seeds.at(-1)}`, { timeout: 60_000 }, async () => {
      for (const seed of seeds) {
        const { failure } = await simulate({ seed });
        expect(failure, `npm run simulate -- --worlds 1 --seed ${seed} --trace`).toBeUndefined();
      }
    });
  }

  it('R1 one seed is one world: what happens in it can be replayed', async () => {
    for (const seed of [3, 8]) {
      const [once, again] = [await simulate({ seed }), await simulate({ seed })];
      expect(again).toEqual(once);
    }
  });
});
