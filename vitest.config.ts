import { defineConfig } from 'vitest/config';

/** Projects by what a test needs, told by its file name: nothing, time for many worlds, a Postgres, whole regions, a browser. */
const needs = (name: string, include: string[], exclude: string[], timeoutMs: number) => ({
  test: {
    name,
    include,
    exclude: ['**/node_modules/**', '**/dist/**', ...exclude],
    testTimeout: timeoutMs,
    hookTimeout: timeoutMs,
    expect: { poll: { timeout: 20_000 } },
  },
});

const SPECIAL = ['**/*.sim.test.ts', '**/*.pg.test.ts', '**/*.regions.test.ts', '**/*.browser.test.ts'];

export default defineConfig({
  test: {
    projects: [
      needs('unit', ['**/*.test.ts', '**/*.test.tsx'], SPECIAL, 30_000),
      needs('sim', ['**/*.sim.test.ts'], [], 120_000),
      needs('pg', ['**/*.pg.test.ts'], [], 60_000),
      needs('regions', ['**/*.regions.test.ts'], [], 240_000),
      needs('browser', ['**/*.browser.test.ts'], [], 240_000),
    ],
    // Two cores: servers under test need one of them.
    maxWorkers: 2,
  },
});
