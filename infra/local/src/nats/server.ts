import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { startChild, type Child, type ChildOptions } from '../child.ts';
import { WorldError } from '../error.ts';

export type NatsServerOptions = {
  /** Path of nats-server, see `findNatsServer`. */
  binary: string;
  /** Folder for the configuration, made if missing. */
  dir: string;
  port: number;
  /** What `natsConfig` made, for this port. */
  config: string;
  /** File for what the server says. */
  log: string;
  onParentDeath?: NonNullable<ChildOptions['onParentDeath']>;
};

export type NatsServer = {
  /** `nats://127.0.0.1:<port>` */
  readonly url: string;
  readonly child: Child;
  stop(): Promise<void>;
  /** SIGKILL. What was acknowledged stays on the disk. */
  kill(): Promise<void>;
};

const START_MS = 15_000;
const run = promisify(execFile);

/**
 * Starts one nats-server and waits until it takes connections, with its streams recovered.
 * Rejects when the configuration is not valid, or when the server ends or stays silent for 15 s.
 */
export async function startNats(options: NatsServerOptions): Promise<NatsServer> {
  const { binary, dir, port, config, log, onParentDeath = 'SIGTERM' } = options;
  const file = `${dir}/nats-server.conf`;
  await mkdir(dir, { recursive: true });
  // It holds passwords.
  await writeFile(file, config, { mode: 0o600 });
  await validate(binary, file);
  const child = await startChild({
    name: `nats-server:${port}`,
    command: binary,
    args: ['-c', file],
    log,
    onParentDeath,
  });
  await answering(child, port, log);
  return {
    url: `nats://127.0.0.1:${port}`,
    child,
    stop: () => child.stop(),
    kill: () => child.kill(),
  };
}

async function validate(binary: string, file: string): Promise<void> {
  try {
    await run(binary, ['-t', '-c', file]);
  } catch (error) {
    throw new Error(`nats-server does not accept ${file}: ${String(error)}`, { cause: error });
  }
}

async function answering(child: Child, port: number, log: string): Promise<void> {
  const deadline = Date.now() + START_MS;
  while (child.running && Date.now() < deadline) {
    if (await greets(port)) {
      // Somebody else's server may hold the port, while ours is just giving up.
      if (child.running) return;
      break;
    }
    await sleep(20);
  }
  const why = child.running ? `did not answer within ${START_MS} ms` : 'ended at once';
  await child.kill();
  throw new WorldError(`nats-server on port ${port} ${why}; its log is ${log}`);
}

/** A server says INFO as soon as it takes clients, which is after JetStream has recovered. */
function greets(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const settle = (greeted: boolean): void => {
      socket.destroy();
      resolve(greeted);
    };
    socket.setTimeout(1_000, () => settle(false));
    socket.once('data', (bytes) => settle(bytes.toString('latin1').startsWith('INFO ')));
    socket.once('error', () => settle(false));
    socket.once('close', () => settle(false));
  });
}
