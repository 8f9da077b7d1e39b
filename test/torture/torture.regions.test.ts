import { findBasePort } from '@causeway/local';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { reportOf } from './report.ts';
import { torture } from './run.ts';
import { timelineOf } from './timeline.ts';

describe('a short torture', () => {
  it('R1 R3 R4 R9 R15 two regions of two servers under a nemesis: nothing lost, twice, diverged or invented', async () => {
    const home = await mkdtemp(join(tmpdir(), 'causeway-torture-'));
    try {
      const outcome = await torture({
        minutes: 0.6,
        seed: 5,
        regions: ['us-east', 'eu-west'],
        servers: 2,
        rate: 30,
        delayMs: 40,
        home,
        basePort: await findBasePort(),
        journalFile: join(home, 'journal.jsonl'),
        say: () => undefined,
      });
      expect(outcome.verdict.findings).toEqual([]);
      expect(outcome.heals.filter(({ ms }) => ms === undefined)).toEqual([]);
      expect(outcome.verdict.checked).toBeGreaterThan(50);
      expect(outcome.faults.length).toBeGreaterThanOrEqual(6);
      expect(new Set(outcome.faults.map(({ kind }) => kind)).size).toBeGreaterThanOrEqual(5);
      const report = reportOf(outcome, { date: '2026-11-23', timeline: 'timeline.svg' });
      expect(report).toContain('nothing lost, nothing diverged');
      expect(timelineOf(outcome)).toMatch(/^<svg [^]*<\/svg>\n$/);
    } finally {
      await rm(home, { recursive: true, force: true });
    }
  });
});
