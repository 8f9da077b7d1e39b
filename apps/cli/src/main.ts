import { run } from './run.ts';
import { findWorld } from './world-client.ts';

// `causeway status | head` closes our output while we write.
process.stdout.on('error', () => undefined);
process.stderr.on('error', () => undefined);

process.exitCode = await run(process.argv.slice(2), {
  env: process.env,
  out: process.stdout,
  err: process.stderr,
  world: () => findWorld(process.env),
});
