import { readConfig, type Config } from './config/read.ts';
import { openLog } from './log.ts';
import { rebuildRegion } from './rebuild.ts';
import { runRegion } from './region.ts';

const HELP = `Usage: CAUSEWAY_CONFIG=region.json node apps/region/src/main.ts [rebuild]

Without a command: serves the region of that manifest until SIGTERM or SIGINT.

  rebuild   builds the views (messages for history) anew from the log, says how far that is, and
            ends when it is done. Servers may run meanwhile: readers see the old rows until they
            are replaced.
  --help    this text`;

const stop = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort());

const [command] = process.argv.slice(2);
if (command === '--help' || command === '-h') console.log(HELP);
else if (command === undefined) await serve();
else if (command === 'rebuild') await rebuild();
else {
  console.error(`there is no command "${command}"\n\n${HELP}`);
  process.exitCode = 2;
}

async function serve(): Promise<void> {
  const config = configOrExit();
  if (config === undefined) return;
  const log = openLog(config.region, config.logLevel);
  try {
    await runRegion(config, log, stop.signal);
  } catch (error) {
    log.fatal({ err: error }, 'cannot serve');
    process.exitCode = 1;
  }
}

async function rebuild(): Promise<void> {
  const config = configOrExit();
  if (config === undefined) return;
  try {
    await rebuildRegion(config, (line) => console.log(line), stop.signal);
    if (stop.signal.aborted) process.exitCode = 1;
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}

function configOrExit(): Config | undefined {
  try {
    return readConfig(process.env);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 2;
    return undefined;
  }
}
