import { parseArgs } from 'node:util';
import { proveChannel } from './channel/channel.ts';
import { report } from './report.ts';

const HELP = `npm run proof:c [-- --share N] [--report FILE]

A channel of 1,000,000 messages beside one of 1,000, both filled by commands in a real region, opened in turn
as the SDK does: bytes on the wire, CPU of server and database, time until it can be used; besides, pages and
threads in the middle of its history, badges, reactions, and what a message takes on disk. About 15 minutes and
3 GB; --share 50 takes 20,000 messages, as CI does. Writes docs/proof/<date>-c.md, or FILE, and exits with 1
when a bound is broken. Ctrl-C stops it and leaves nothing. Linux: what processes use of a core is read from /proc.`;

const { values } = parseArgs({
  options: {
    share: { type: 'string', default: '1' },
    report: { type: 'string' },
    help: { type: 'boolean' },
  },
});
if (values.help === true) console.log(HELP);
else await prove(Number(values.share), values.report);

async function prove(share: number, file: string | undefined): Promise<void> {
  if (!(share >= 1)) throw new Error(`--share must be a number from 1 on, not ${values.share}`);
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => stop.abort(new Error(`stopped by ${signal}`)));
  try {
    const findings = await proveChannel(share, (line) => console.error(line), stop.signal);
    await report('c', findings, { share, file });
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    console.error((stop.signal.reason as Error).message);
    process.exitCode = 130;
  }
}
