/**
 * Stands in for `setpriv --pdeathsig` where there is none: runs one program, passes signals on,
 * and signals it when our standard input closes, which the kernel does when the launcher dies.
 * Arguments: signal, uid or '', gid or '', command, its arguments.
 */
import { spawn } from 'node:child_process';

const [signal, uid, gid, command, ...args] = process.argv.slice(2);
const child = spawn(command!, args, {
  stdio: ['ignore', 'inherit', 'inherit'],
  ...(uid === '' ? {} : { uid: Number(uid) }),
  ...(gid === '' ? {} : { gid: Number(gid) }),
});
const pass = (name: NodeJS.Signals): void => void child.kill(name);
process.stdin.on('end', () => pass(signal as NodeJS.Signals)).resume();
for (const name of ['SIGINT', 'SIGTERM', 'SIGQUIT', 'SIGUSR2'] as const) process.on(name, pass);
child.on('exit', (code) => process.exit(code ?? 1));
