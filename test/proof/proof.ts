import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Finding } from './finding.ts';
import { proveGrowth } from './growth.ts';
import { report } from './report.ts';

const HELP = `npm run proof:b [-- --share N] [--only growth,worlds,torture] [--report FILE]

Proves what takes long: memory and disk over 200,000 operations, a region that lost its disk,
10,000 simulated worlds, 30 minutes of torture. About an hour; --share 50 takes a fiftieth, as CI does.
Writes docs/proof/<date>-b.md, or FILE, and exits with 1 when something does not hold.`;

const { values } = parseArgs({
  options: {
    share: { type: 'string', default: '1' },
    only: { type: 'string', default: 'growth,worlds,torture' },
    report: { type: 'string' },
    help: { type: 'boolean' },
  },
});
if (values.help === true) console.log(HELP);
else await prove(Number(values.share), values.only.split(','), values.report);

async function prove(share: number, only: readonly string[], file: string | undefined): Promise<void> {
  if (!(share >= 1)) throw new Error(`--share must be a number from 1 on, not ${values.share}`);
  const findings: Finding[] = [];
  if (only.includes('growth')) findings.push(...(await proveGrowth(share, say)));
  if (only.includes('worlds'))
    findings.push(
      await run('worlds', 'test/sim/simulate.ts', ['--worlds', String(Math.ceil(10_000 / share))]),
    );
  if (only.includes('torture')) {
    const minutes = String(Math.max(1, 30 / share));
    const kept =
      share === 1 ? ['--report', fileURLToPath(new URL('../../docs/torture/', import.meta.url))] : [];
    findings.push(await run('torture', 'test/torture/torture.ts', ['--minutes', minutes, ...kept]));
  }
  await report('b', findings, { share, file });
}

function say(line: string): void {
  console.error(line);
}

/** A program of its own; of its output the title of a report, or the line that counts worlds, is what came out. */
function run(what: string, file: string, args: readonly string[]): Promise<Finding> {
  const child = spawn(process.execPath, [file, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    output += part;
    process.stderr.write(part);
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      const value =
        /^(?:# (.*)|(\d+ worlds in .*))$/m.exec(output)?.slice(1).find(Boolean) ?? `exit code ${code}`;
      resolve({ what: `${what} ${args.join(' ')}`, value, holds: code === 0 });
    });
  });
}
