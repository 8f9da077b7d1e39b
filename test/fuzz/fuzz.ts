import { writeFile } from 'node:fs/promises';
import { availableParallelism, cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { brokenIn, reportOf } from './report.ts';
import { fuzz } from './run.ts';

const HELP = `npm run fuzz -- [--frames N] [--seed S] [--report FILE]

Sends malformed, truncated, oversized and out-of-state frames through all doors of a real region,
before and after sign-in, while honest clients use it: the stock y-websocket and Hocuspocus
providers, the SDK, and a client of /v1/events. Then says what was sent, how the doors answered,
what memory did, and whether the honest ones noticed anything.

--frames  how many (default 1,000,000)
--seed    of the frames (default 1)
--report  a file for the report, Markdown

Exit code 1 when the process did not live, memory was not flat, a socket hung, or anybody noticed.`;

const { values } = parseArgs({
  options: {
    frames: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: '1' },
    report: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) console.log(HELP);
// Whatever a stock provider still waits for must not keep a program that has said its result.
else process.exit(await main());

async function main(): Promise<number> {
  const over = new AbortController();
  process.once('SIGINT', () => over.abort());
  const seed = positive('seed');
  const outcome = await fuzz({
    frames: positive('frames'),
    seed,
    signal: over.signal,
    say: (line) => console.error(line),
  });
  const machine = `${cpus()[0]?.model.trim()}, ${availableParallelism()} cores, Node ${process.version}`;
  const report = reportOf(outcome, { seed, machine });
  console.log(report);
  if (values.report !== undefined) {
    const date = new Date().toISOString().slice(0, 10);
    await writeFile(values.report, `# Fuzz, ${date}\n\n${report}`);
  }
  return brokenIn(outcome).length === 0 ? 0 : 1;
}

function positive(name: 'frames' | 'seed'): number {
  const value = Number(values[name].replaceAll(/[,_]/g, ''));
  if (Number.isSafeInteger(value) && value > 0) return value;
  console.error(`--${name} is a whole number above 0, not "${values[name]}"`);
  process.exit(2);
}
