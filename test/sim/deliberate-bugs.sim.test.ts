import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { BUGS, type Bug } from './bugs/bugs.ts';
import { sourcesOf } from './bugs/patch.ts';

const run = promisify(execFile);
const SIMULATE = new URL('simulate.ts', import.meta.url).pathname;

/** What the simulation says of a system with that bug, and its exit code. */
async function simulate({ name, worlds, first = 1 }: Bug): Promise<{ code: number; said: string }> {
  try {
    const { stdout } = await run(process.execPath, [
      SIMULATE,
      '--bug',
      name,
      '--worlds',
      String(worlds),
      '--seed',
      String(first),
      '--workers',
      '1',
    ]);
    return { code: 0, said: stdout };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, said: stdout + stderr };
  }
}

describe('deliberate bugs', () => {
  for (const bug of BUGS) {
    it(`${bug.rule} the patch of ${bug.name} fits the source`, () => {
      expect([...sourcesOf(bug).keys()].length).toBeGreaterThan(0);
    });

    it(`${bug.rule} caught: ${bug.what}`, { timeout: 240_000 }, async () => {
      const { code, said } = await simulate(bug);
      // 1: a rule was broken; 2 would be a simulation that does not even run.
      expect(said).toMatch(/^FAILED seed \d+ step \d+: /m);
      expect(code).toBe(1);
    });
  }
});
