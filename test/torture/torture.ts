import { basePortOf, chooseRegions, findBasePort } from '@causeway/local';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { reportOf, sameAsPromised } from './report.ts';
import { torture } from './run.ts';
import { timelineOf } from './timeline.ts';

const HELP = `npm run torture -- --minutes M [--seed S] [--regions us-east,eu-west,ap-south] [--servers N]
                    [--rate R] [--report DIR] [--date YYYY-MM-DD] [--keep]

Real regions, Postgres, NATS and links under a nemesis, while clients in all regions work; then
everything is read back and compared with what the clients were told.

--minutes  how long, without the last heal and the check (default 3)
--seed     of the plan of faults (default 1): the same seed, the same faults in the same order
--regions  which (default us-east,eu-west,ap-south)
--servers  server processes of each region (default 2)
--rate     operations begun per second, all clients together (default 40)
--report   where to write report and timeline, <date>-torture.md and .svg (default: nowhere)
--date     of the report (default: today)
--keep     leave the world's folder, with its logs and the journal of all operations

The world lives in CAUSEWAY_HOME, or in a new folder of the system's for such things; its ports
begin at CAUSEWAY_BASE_PORT, or where there is room. Exit code 1 when anything was lost, was there
twice, differed between regions, or did not converge.`;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '3' },
    seed: { type: 'string', default: '1' },
    regions: { type: 'string', default: 'us-east,eu-west,ap-south' },
    servers: { type: 'string', default: '2' },
    rate: { type: 'string', default: '40' },
    report: { type: 'string' },
    date: { type: 'string', default: new Date().toISOString().slice(0, 10) },
    keep: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) console.log(HELP);
// Whatever a stock provider still waits for must not keep a program that has said its result.
else process.exit(await main());

async function main(): Promise<number> {
  const given = process.env['CAUSEWAY_HOME'];
  const home = given ?? (await mkdtemp(join(tmpdir(), 'causeway-torture-')));
  await mkdir(home, { recursive: true, mode: 0o755 });
  const isKept = values.keep || given !== undefined;
  try {
    const outcome = await torture({
      minutes: positive('minutes'),
      seed: positive('seed'),
      regions: chooseRegions(values.regions.split(',')),
      servers: positive('servers'),
      rate: positive('rate'),
      delayMs: 40,
      home,
      basePort:
        process.env['CAUSEWAY_BASE_PORT'] === undefined ? await findBasePort() : basePortOf(process.env),
      journalFile: join(home, 'journal.jsonl'),
      say: (line) => console.error(line),
    });
    const name = `${values.date}-torture`;
    const report = reportOf(outcome, { date: values.date, timeline: `${name}.svg` });
    console.log(report);
    if (values.report !== undefined) {
      const folder = resolve(values.report);
      await mkdir(folder, { recursive: true });
      await writeFile(join(folder, `${name}.md`), report);
      await writeFile(join(folder, `${name}.svg`), timelineOf(outcome));
      console.error(`written: ${join(folder, name)}.md and .svg`);
    }
    return sameAsPromised(outcome) ? 0 : 1;
  } finally {
    if (isKept) console.error(`the world's folder: ${home}`);
    else await rm(home, { recursive: true, force: true });
  }
}

function positive(name: 'minutes' | 'seed' | 'servers' | 'rate'): number {
  const number = Number(values[name]);
  if (number > 0 && Number.isFinite(number)) return number;
  console.error(`--${name} is a number above 0, not "${values[name]}"`);
  process.exit(2);
}
