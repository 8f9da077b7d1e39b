import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { findProgram } from '../child.ts';
import type { NatsSource } from './binary.ts';

/** The suite that has a recent one. It moves: the version found is logged. */
const SUITE = 'forky';
const PATIENCE_MS = 120_000;
const run = promisify(execFile);

/**
 * Debian's package, unpacked without root and without touching the system's apt: lists, cache and
 * status are folders of our own. It needs only libc, so the suite need not be the system's.
 */
export const debianPackage: NatsSource = {
  name: `the package of Debian ${SUITE}`,
  async fetch(folder) {
    for (const program of ['apt-get', 'apt-cache', 'dpkg'])
      if (findProgram(program) === undefined) throw new Error(`there is no ${program} here`);
    const apt = await privateApt(folder);
    await apt('apt-get', ['update', '-q', '-o', 'APT::Update::Error-Mode=any']);
    // apt keeps a file that is already there if only its size is right: the folder must be empty.
    const downloads = `${folder}/downloads`;
    await mkdir(downloads);
    await apt('apt-get', ['download', '-q', 'nats-server'], downloads);
    const [name] = (await readdir(downloads)).filter((file) => file.endsWith('.deb'));
    if (name === undefined) throw new Error('apt-get downloaded nothing');
    const sums = sha256Lines(await apt('apt-cache', ['show', 'nats-server']));
    const sum = createHash('sha256')
      .update(await readFile(`${downloads}/${name}`))
      .digest('hex');
    if (!sums.includes(sum)) throw new Error(`${name} is not what apt lists: its SHA-256 is ${sum}`);
    await run('dpkg', ['-x', `${downloads}/${name}`, `${folder}/package`]);
    return `${folder}/package/usr/sbin/nats-server`;
  },
};

type Apt = (program: string, args: readonly string[], cwd?: string) => Promise<string>;

async function privateApt(folder: string): Promise<Apt> {
  for (const part of ['state/lists/partial', 'cache/archives/partial'])
    await mkdir(`${folder}/${part}`, { recursive: true });
  await writeFile(`${folder}/state/status`, '');
  await writeFile(`${folder}/sources.list`, `deb http://deb.debian.org/debian ${SUITE} main\n`);
  await writeFile(
    `${folder}/apt.conf`,
    `Dir::State "${folder}/state";
Dir::State::status "${folder}/state/status";
Dir::Cache "${folder}/cache";
Dir::Etc::sourcelist "${folder}/sources.list";
Dir::Etc::sourceparts "/dev/null";
APT::Sandbox::User "";
`,
  );
  const env = { ...process.env, APT_CONFIG: `${folder}/apt.conf`, LC_ALL: 'C' };
  return async (program, args, cwd = folder) => {
    const options = { cwd, env, timeout: PATIENCE_MS, maxBuffer: 16 * 1024 * 1024 };
    return (await run(program, args, options)).stdout;
  };
}

const sha256Lines = (text: string): string[] =>
  [...text.matchAll(/^SHA256: ([0-9a-f]{64})$/gm)].map((match) => match[1]!);
