import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';

type Seen = { pid: number; parent: number; state: string };

/** `root` and all that descends from it, parents first; without those that have ended. */
export function treeOf(root: number): { pid: number; stopped: boolean }[] {
  const all = everybody();
  const children = Map.groupBy(all, ({ parent }) => parent);
  const tree = all.filter(({ pid }) => pid === root);
  // Grows while it is walked.
  for (const { pid } of tree) tree.push(...(children.get(pid) ?? []));
  return tree
    .filter(({ state }) => !/^[ZX]/.test(state))
    .map(({ pid, state }) => ({ pid, stopped: /^[Tt]/.test(state) }));
}

/** False when there is no such process any more. */
export function signalTo(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

const everybody = (): Seen[] => (existsSync('/proc/self/stat') ? byProc() : byPs());

const byProc = (): Seen[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name): Seen[] => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
        // The second field, the name, may hold spaces and brackets.
        const [state = '', parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        return [{ pid: Number(name), parent: Number(parent), state }];
      } catch {
        return []; // It ended while we looked.
      }
    });

const byPs = (): Seen[] =>
  spawnSync('ps', ['-A', '-o', 'pid=,ppid=,state='], { encoding: 'utf8' })
    .stdout.trim()
    .split('\n')
    .map((line) => {
      const [pid, parent, state = ''] = line.trim().split(/\s+/);
      return { pid: Number(pid), parent: Number(parent), state };
    });
