import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { BUGS } from './bugs/bugs.ts';
import type { Report } from './worlds/simulation.ts';
import type { Job, Message } from './worlds/worker.ts';

const HELP = `npm run simulate -- [--worlds 1000] [--seed 1] [--workers 2] [--regions n] [--bug name] [--trace]

Lives worlds with the seeds from --seed on until one breaks a rule: exit code 1, with the seed, the
step and the reason. What happens in a world is in docs/simulation.md.

  --worlds N      how many, with the seeds from --seed on
  --workers N     threads
  --regions N     of each world, instead of two to four
  --keep-going    tell of a failure and go on
  --trace         print the events of the worlds; --worlds 1 --seed S --trace replays one
  --bug NAME      with a deliberate bug, which has to be noticed
  --list-bugs     their names`;

const EVERY_MS = 5_000;
/** A world that takes this long, real milliseconds, goes round in circles. */
const ENDLESS_MS = 60_000;

const OPTIONS = {
  options: {
    'help': { type: 'boolean', default: false },
    'worlds': { type: 'string', default: '1000' },
    'seed': { type: 'string', default: '1' },
    'workers': { type: 'string', default: '2' },
    'regions': { type: 'string' },
    'bug': { type: 'string' },
    'list-bugs': { type: 'boolean', default: false },
    'trace': { type: 'boolean', default: false },
    'keep-going': { type: 'boolean', default: false },
  },
} as const;

const { values } = read();
if (values.help) {
  console.log(HELP);
  process.exit(0);
}
for (const name of ['worlds', 'seed', 'workers'] as const)
  if (!/^[1-9]\d*$/.test(values[name]))
    wrong(`--${name} takes a whole number from 1 on, not ${values[name]}`);

const worlds = Number(values.worlds);
const first = Number(values.seed);
const workers = Math.min(Number(values.workers), worlds);
const totals = new Map<string, number>();
const startedAt = performance.now();
let done = 0;
let failures = 0;
let longestHealMs = 0;

if (values['list-bugs']) {
  for (const { name, rule, what } of BUGS) console.log(`${name.padEnd(28)} ${rule.padEnd(4)} ${what}`);
  process.exit(0);
}
if (values.bug !== undefined && !BUGS.some(({ name }) => name === values.bug))
  wrong(`there is no bug ${values.bug}; --list-bugs shows them`);

const progress = setInterval(() => console.log(progressLine()), EVERY_MS);
await Promise.all(Array.from({ length: workers }, (_, at) => run(at)));
clearInterval(progress);
console.log(summary());
process.exitCode = failures > 0 ? 1 : 0;

function read() {
  try {
    return parseArgs(OPTIONS);
  } catch (error) {
    return wrong((error as Error).message);
  }
}

/** Bad input: exit code 2. */
function wrong(what: string): never {
  console.error(`${what}\nSee: npm run simulate -- --help`);
  process.exit(2);
}

/** One worker lives every `workers`-th world. */
function run(at: number): Promise<void> {
  const job: Job = {
    seeds: { first: first + at, step: workers, end: first + worlds },
    regions: values.regions === undefined ? undefined : Number(values.regions),
    bug: values.bug,
    trace: values.trace,
  };
  const worker = new Worker(new URL('./worlds/worker.ts', import.meta.url), { workerData: job });
  let endless: NodeJS.Timeout | undefined;
  return new Promise((resolve) => {
    worker.on('message', (message: Message) => {
      if ('line' in message) return console.log(message.line);
      clearTimeout(endless);
      if ('report' in message) take(message.report);
      else
        endless = setTimeout(() => {
          fail(message.seed, 0, `no end within ${ENDLESS_MS / 1000} s`);
          void worker.terminate();
        }, ENDLESS_MS);
    });
    worker.on('error', (error) => {
      console.error(error);
      process.exit(2);
    });
    worker.on('exit', () => {
      clearTimeout(endless);
      resolve();
    });
  });
}

function take(report: Report): void {
  done++;
  longestHealMs = Math.max(longestHealMs, report.healMs);
  for (const [what, count] of Object.entries(report.counts))
    totals.set(what, (totals.get(what) ?? 0) + count);
  if (worlds === 1) console.log(`${report.steps} steps, trace ${report.hash}`);
  if (report.failure !== undefined) fail(report.seed, report.failure.step, report.failure.reason);
}

function fail(seed: number, step: number, reason: string): void {
  failures++;
  console.log(`FAILED seed ${seed} step ${step}: ${reason}`);
  if (values['keep-going']) return;
  const options = [
    ...(values.bug === undefined ? [] : ['--bug', values.bug]),
    ...(values.regions === undefined ? [] : ['--regions', values.regions]),
  ];
  console.log(`replay: npm run simulate -- --worlds 1 --seed ${[seed, ...options].join(' ')} --trace`);
  console.log(summary());
  process.exit(1);
}

function progressLine(): string {
  const seconds = (performance.now() - startedAt) / 1000;
  const rate = done / seconds;
  const left = rate > 0 ? Math.round((worlds - done) / rate) : 0;
  const faults = kinds('fault/').map(([kind, count]) => `${kind} ${count}`);
  return `${done}/${worlds} worlds, ${rate.toFixed(1)}/s, ${left} s left; ${faults.join(', ')}`;
}

function summary(): string {
  const seconds = (performance.now() - startedAt) / 1000;
  const table = ['operation/', 'ack/', 'refused/', 'fault/', 'notice/', 'lost ', 'slot/'].flatMap(
    (prefix) => {
      const rows = kinds(prefix);
      const total = rows.reduce((sum, [, count]) => sum + count, 0);
      return rows.length === 0
        ? []
        : [
            `${prefix.replace(/\W$/, '')} ${total}: ${rows.map(([kind, count]) => `${kind} ${count}`).join(', ')}`,
          ];
    },
  );
  return [
    `${done} worlds in ${seconds.toFixed(1)} s (${((seconds * 1000 * workers) / Math.max(1, done)).toFixed(0)} ms each and worker), ${failures} failed`,
    ...table,
    `longest time to converge after the last repair: ${longestHealMs} simulated ms`,
  ].join('\n');
}

function kinds(prefix: string): [string, number][] {
  return [...totals]
    .filter(([what]) => what.startsWith(prefix))
    .map(([what, count]): [string, number] => [what.slice(prefix.length), count])
    .sort(([, a], [, b]) => b - a);
}
