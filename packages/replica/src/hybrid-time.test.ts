import { LIMITS } from '@causeway/protocol';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  HybridClock,
  countOrder,
  hybridFromText,
  hybridOf,
  hybridText,
  millisOf,
  numberInOrder,
  orderOf,
  timeOfPost,
} from './hybrid-time.ts';

const options = { seed: 1, numRuns: 2_000 };
const hybrid = fc.maxSafeNat();
const START = 1_700_000_000_000;

function clockAt(start = START) {
  const wall = { now: start };
  return { wall, clock: new HybridClock(() => wall.now) };
}

describe('hybrid time as text', () => {
  it('compares as its number does, and comes back as it was', () => {
    fc.assert(
      fc.property(hybrid, hybrid, (a, b) => {
        expect(hybridText(a) < hybridText(b)).toBe(a < b);
        expect(hybridFromText(hybridText(a))).toBe(a);
        expect(numberInOrder(orderOf(a, 'command'))).toBe(a);
        expect(numberInOrder(countOrder(a))).toBe(a);
        expect(hybridFromText(timeOfPost(a, Number.MAX_SAFE_INTEGER))).toBe(a);
      }),
      options,
    );
  });

  it('R4 ties of `v` go by command id', () => {
    fc.assert(
      fc.property(hybrid, hybrid, fc.string(), fc.string(), (a, b, x, y) => {
        expect(orderOf(a, x) < orderOf(b, y)).toBe(a === b ? x < y : a < b);
      }),
      options,
    );
  });

  it('R14 what is no such text is 0, never NaN', () => {
    for (const text of ['', '0', 'x', '!!!!!!!!!!!', '-0000000001', 'A0000000000', 'ä0000000000'])
      expect(hybridFromText(text)).toBe(0);
    fc.assert(
      fc.property(fc.string(), (text) => void expect(hybridFromText(text)).not.toBeNaN()),
      options,
    );
  });

  it('milliseconds come back', () => {
    expect(millisOf(hybridOf(START) + 1_023)).toBe(START);
    expect(Number.isSafeInteger(hybridOf(Date.UTC(2240, 0)))).toBe(true);
  });
});

describe('the clock', () => {
  it('R14 only goes forward, whatever the wall clock and peers do', () => {
    const step = fc.oneof(
      fc.record({ wall: fc.integer({ min: -100_000, max: 100_000 }) }),
      fc.record({ peer: fc.integer({ min: -200_000, max: 200_000 }) }),
      fc.constant({ tick: true as const }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { wall, clock } = clockAt();
        let last = clock.tick();
        for (const step of steps) {
          if ('wall' in step) wall.now += step.wall;
          else if ('peer' in step) clock.witness(hybridOf(wall.now + step.peer));
          const read = clock.read();
          const next = clock.tick();
          expect(read).toBeGreaterThanOrEqual(last);
          expect(next).toBeGreaterThan(last);
          expect(next).toBeGreaterThanOrEqual(hybridOf(wall.now));
          last = next;
        }
      }),
      options,
    );
  });

  it('R14 a peer within the bound advances it; one beyond it is counted and not believed', () => {
    const { clock } = clockAt();
    const near = hybridOf(START + LIMITS.clockSkewMs);
    clock.witness(near);
    expect([clock.tick(), clock.fromFuture]).toEqual([near + 1, 0]);
    clock.witness(near + 1_000_000);
    expect([clock.tick(), clock.fromFuture]).toEqual([near + 2, 1]);
  });

  it('R14 a peer that sends nonsense does not break it', () => {
    const { clock } = clockAt();
    for (const text of ['', 'nonsense', '~~~~~~~~~~~']) clock.witness(hybridFromText(text));
    expect(clock.tick()).toBe(hybridOf(START));
  });

  it('R14 more than 1,024 ticks in a millisecond run ahead of the wall and are caught up', () => {
    const { wall, clock } = clockAt();
    for (let n = 0; n < 3_000; n++) clock.tick();
    expect(millisOf(clock.read())).toBe(START + 2);
    wall.now += 10;
    expect(clock.tick()).toBe(hybridOf(START + 10));
  });

  it('R14 refuses a `v` beyond max(now + bound, held + 1), and nothing else', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -100_000, max: 200_000 }),
        fc.integer({ min: -100_000, max: 200_000 }),
        (ms, heldMs) => {
          const { clock } = clockAt();
          const [v, held] = [hybridOf(START + ms), hybridOf(START + heldMs)];
          const admit = (): void => clock.admit(v, held);
          if (v <= Math.max(hybridOf(START + LIMITS.clockSkewMs), held + 1)) expect(admit).not.toThrow();
          else expect(admit).toThrow(expect.objectContaining({ code: 'clock-ahead' }));
        },
      ),
      options,
    );
    const { clock } = clockAt();
    const held = hybridOf(START + 10 * LIMITS.clockSkewMs);
    expect(() => clock.admit(held + 1, held)).not.toThrow();
    expect(() => clock.admit(held + 2, held)).toThrow(expect.objectContaining({ code: 'clock-ahead' }));
  });
});
