import { readConfig, type Config } from './config/read.ts';
import { openLog } from './log.ts';
import { runRegion } from './region.ts';

/** Starts the server of one region: `CAUSEWAY_CONFIG=region.json node apps/region/src/main.ts`. */
const stop = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort());

function configOrExit(): Config | undefined {
  try {
    return readConfig(process.env);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 2;
    return undefined;
  }
}

const config = configOrExit();
if (config !== undefined) {
  const log = openLog(config.region, config.logLevel);
  try {
    await runRegion(config, log, stop.signal);
  } catch (error) {
    log.fatal({ err: error }, 'cannot serve');
    process.exitCode = 1;
  }
}
