import type { World } from '@causeway/local';
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LOGS } from './chat-log.ts';
import { Speaker, eventually } from './speaker.ts';
import { testWorld } from './test-world.ts';

const REGIONS = ['us-east', 'eu-west'] as const;
const LOG = `${LOGS}/2005-06-27_12.raw.txt`;
const BIN = fileURLToPath(new URL('../../apps/cli/bin/causeway.mjs', import.meta.url));

describe.skipIf(!existsSync(LOG))(
  'causeway replay, on a real chat log (skipped where the log is absent)',
  () => {
    let opened: Awaited<ReturnType<typeof testWorld>> | undefined;
    let world: World;

    beforeAll(async () => {
      opened = await testWorld({ regions: REGIONS, delayMs: 40 });
      world = opened.world;
    });

    afterAll(async () => {
      await opened?.[Symbol.asyncDispose]();
    });

    it('R1 R3 brings every line to every region, once, its speakers spread and its answers as threads', async () => {
      const env = { ...process.env, CAUSEWAY_HOME: world.home };
      await promisify(execFile)(process.execPath, [BIN, 'replay', LOG, '--speed', 'max'], { env });
      const { spoken, answers } = expected();
      const token = await world.token('ada');
      for (const region of REGIONS) {
        const reader = new Speaker(world.regions[region]!.url, token);
        const messages = await eventually(
          `the whole log in ${region}`,
          () => reader.everything(),
          (found) => found.length >= spoken.length,
        );
        expect(messages.map(({ body }) => body).sort()).toEqual(spoken.map(({ text }) => text).sort());
        expect(new Set(messages.map((message) => message.region))).toEqual(new Set(REGIONS));
        expect(messages.filter(({ thread }) => thread !== undefined).length).toBe(answers);
        const ids = new Set(messages.map(({ id }) => id));
        expect(messages.filter(({ thread }) => thread !== undefined && !ids.has(thread))).toEqual([]);
      }
    });
  },
);

/** Counted anew, not with the code under test: what was said, and how many of it answers something said. */
function expected(): { spoken: { line: number; text: string }[]; answers: number } {
  const spoken = readFileSync(LOG, 'utf8')
    .split('\n')
    .map((text, line) => ({ line, text: /^\[\d\d:\d\d\] <[^>]+> (.+)$/.exec(text)?.[1] ?? '' }))
    .filter(({ text }) => text !== '');
  const said = new Set(spoken.map(({ line }) => line));
  const pairs = readFileSync(LOG.replace('.raw.', '.annotation.'), 'utf8')
    .trim()
    .split('\n')
    .map((text) => text.split(' ').slice(0, 2).map(Number) as [number, number])
    .filter(([a, b]) => a !== b && said.has(a) && said.has(b));
  return { spoken, answers: new Set(pairs.map(([, b]) => b)).size };
}
