import { spawn, type ChildProcess } from 'node:child_process';
import { afterEach, expect, test, vi } from 'vitest';
import { pauseTree } from './pause.ts';
import { signalTo, treeOf } from './process-tree.ts';

const started: ChildProcess[] = [];
afterEach(() => {
  for (const child of started.splice(0)) for (const { pid } of treeOf(child.pid!)) signalTo(pid, 'SIGKILL');
});

const until = (holds: () => void): Promise<void> => vi.waitFor(holds, { timeout: 10_000, interval: 5 });

function run(command: string, args: string[]): ChildProcess {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  started.push(child);
  return child;
}

test('a process is paused with all that descend from it, and goes on', async () => {
  const { pid } = run('sh', ['-c', 'sh -c "sleep 600 & sleep 600" & sleep 600']);
  await until(() => expect(treeOf(pid!)).toHaveLength(5));
  expect(treeOf(pid!)[0]!.pid).toBe(pid);
  const resume = await pauseTree(pid!);
  expect(treeOf(pid!).map(({ stopped }) => stopped)).toEqual([true, true, true, true, true]);
  resume();
  await until(() => expect(treeOf(pid!).filter(({ stopped }) => stopped)).toEqual([]));
});

test('a process that has ended cannot be paused', async () => {
  const child = run('true', []);
  await new Promise((resolve) => child.once('exit', resolve));
  await expect(pauseTree(child.pid!)).rejects.toThrow('ended before it could be paused');
});

test('what is paused goes on when the program that paused it is killed', async () => {
  const sleeper = run('sleep', ['600']);
  const module = new URL('pause.ts', import.meta.url).href;
  const code = `const { pauseTree } = await import(${JSON.stringify(module)});
await pauseTree(${sleeper.pid});
process.stdout.write('paused');
setInterval(() => undefined, 1_000);`;
  const pauser = run(process.execPath, ['--input-type=module', '--eval', code]);
  await new Promise((resolve) => pauser.stdout!.once('data', resolve));
  expect(treeOf(sleeper.pid!)).toEqual([{ pid: sleeper.pid, stopped: true }]);
  pauser.kill('SIGKILL');
  await until(() => expect(treeOf(sleeper.pid!)).toEqual([{ pid: sleeper.pid, stopped: false }]));
});
