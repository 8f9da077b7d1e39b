/* The program of docs/sdk.md, as it stands. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Speaker, eventually } from './speaker.ts';
import { testWorld } from './test-world.ts';

const PAGE = new URL('../../docs/sdk.md', import.meta.url);

let opened: Awaited<ReturnType<typeof testWorld>>;
let folder: string;

beforeAll(async () => {
  opened = await testWorld({ regions: ['us-east', 'eu-west'], delayMs: 20 });
  // Where the packages of this repository are found.
  folder = await mkdtemp(join(import.meta.dirname, '.sdk-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
  await opened?.[Symbol.asyncDispose]();
});

test('the program in docs/sdk.md does what its page says, ends by itself, and the other region has it', async () => {
  const [, source] = /```ts\n(.*?)```/s.exec(await readFile(PAGE, 'utf8'))!;
  const file = join(folder, 'program.ts');
  await writeFile(file, source!);
  const kept = await mkdtemp(join(tmpdir(), 'causeway-sdk-'));
  const { world } = opened;
  const token = await world.token('ada');
  const program = spawn(process.execPath, [file, world.regions['us-east']!.url, token, kept], {
    // One that does not end has said how far it came.
    timeout: 60_000,
  });
  const [said, complained, [code]] = await Promise.all([
    text(program.stdout),
    text(program.stderr),
    once(program, 'exit') as Promise<[number]>,
  ]);
  await rm(kept, { recursive: true, force: true });
  expect({ code, complained }).toEqual({ code: 0, complained: '' });
  expect(said).toBe("Hello again from the **SDK**, @ben [ '👋' ] 1\n");
  const reader = new Speaker(world.regions['eu-west']!.url, await world.token('ben'));
  await eventually(
    'the message in the other region',
    () => reader.page(),
    ({ items }) => items.some(({ body }) => body === 'Hello again from the **SDK**, @ben'),
  );
});
