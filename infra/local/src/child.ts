import { spawn, type ChildProcess } from 'node:child_process';
import { accessSync, appendFileSync, constants, closeSync, openSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { signalTo, treeOf } from './process-tree.ts';

/** Where a process that refuses root runs, when we are root. */
export type User = { uid: number; gid: number };

export type Child = {
  readonly name: string;
  readonly pid: number;
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  readonly running: boolean;
  /** Sends `signal`, waits for the end, and kills after `patienceMs`. Resolves at once when it has ended. */
  stop(signal?: NodeJS.Signals, patienceMs?: number): Promise<void>;
  /** SIGKILL to it and all that descend from it; waits until the process is gone. */
  kill(): Promise<void>;
  signal(signal: NodeJS.Signals): void;
};

export type ChildOptions = {
  name: string;
  command: string;
  args: readonly string[];
  env?: Readonly<Record<string, string | undefined>>;
  cwd?: string;
  /** File that stdout and stderr are appended to. */
  log: string;
  /** Is given each line of them too. */
  onLine?: (line: string) => void;
  user?: User;
  /** What the kernel sends the child when this process dies, however it dies. */
  onParentDeath?: 'SIGINT' | 'SIGTERM' | 'SIGKILL';
};

/**
 * Starts a process that cannot outlive this one, not even our kill -9: by `setpriv --pdeathsig`
 * where util-linux is, else under a keeper that watches its standard input.
 */
export function startChild(options: ChildOptions): Promise<Child> {
  const log = openSync(options.log, 'a', 0o644);
  const output = options.onLine === undefined ? log : 'pipe';
  const [command, args] = leashed(options);
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ['pipe', output, output],
    // Of its own process group: a Ctrl-C in the terminal reaches us alone, and we stop things in order.
    detached: true,
  });
  closeSync(log);
  for (const stream of [child.stdout, child.stderr])
    if (stream !== null)
      createInterface({ input: stream }).on('line', (line) => {
        appendFileSync(options.log, `${line}\n`);
        options.onLine?.(line);
      });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    // What was said is heard before the end is.
    const end = options.onLine === undefined ? 'exit' : 'close';
    child.once('spawn', () => resolve(handle(options.name, child, end)));
  });
}

function leashed({ command, args, user, onParentDeath = 'SIGKILL' }: ChildOptions): [string, string[]] {
  const setpriv = findProgram('setpriv');
  if (setpriv !== undefined) {
    const drop = user === undefined ? [] : [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups'];
    return [setpriv, ['--pdeathsig', onParentDeath.slice(3), ...drop, '--', command, ...args]];
  }
  const keeper = fileURLToPath(new URL('./keeper.ts', import.meta.url));
  return [
    process.execPath,
    [keeper, onParentDeath, String(user?.uid ?? ''), String(user?.gid ?? ''), command, ...args],
  ];
}

/** The path of a program, looked for as a shell does. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(':'), '/usr/local/bin', '/usr/bin', '/bin'];
  return folders
    .filter((folder) => folder !== '')
    .map((folder) => `${folder}/${name}`)
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

function handle(name: string, child: ChildProcess, end: 'exit' | 'close'): Child {
  let running = true;
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.once(end, (code: number | null, signal: NodeJS.Signals | null) => {
      running = false;
      resolve({ code, signal });
    });
  });
  const killAll = (): void => {
    for (const { pid } of treeOf(child.pid!)) signalTo(pid, 'SIGKILL');
  };
  const stop = async (signal: NodeJS.Signals = 'SIGTERM', patienceMs = 10_000): Promise<void> => {
    if (!running) return;
    child.kill(signal);
    const timer = setTimeout(killAll, patienceMs);
    await exited;
    clearTimeout(timer);
  };
  return {
    name,
    pid: child.pid!,
    exited,
    get running() {
      return running;
    },
    stop,
    async kill() {
      if (!running) return;
      killAll();
      await exited;
    },
    signal: (signal) => void child.kill(signal),
  };
}
