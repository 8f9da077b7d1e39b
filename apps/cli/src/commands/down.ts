import { setTimeout as pause } from 'node:timers/promises';
import type { Command } from 'commander';
import { say, type Context } from '../context.ts';
import { Failure } from '../failure.ts';

const PATIENCE_MS = 30_000;
const LOOK_EVERY_MS = 50;

export function addDown(program: Command, context: Context): void {
  program
    .command('down')
    .description('stop the world that runs, and wait until it is gone')
    .addHelpText('after', '\nExample:\n  causeway down')
    .action(async () => {
      const world = context.world();
      const { pid } = world.claim;
      // While it starts it serves nothing yet, but it heeds signals.
      await world.down().catch(() => process.kill(pid, 'SIGTERM'));
      const deadline = performance.now() + PATIENCE_MS;
      while (world.runs()) {
        if (performance.now() > deadline)
          throw new Failure(`The world (pid ${pid}) is still stopping. If it hangs: kill -9 ${pid}`);
        await pause(LOOK_EVERY_MS);
      }
      say(context, 'The world is down. Its state is kept; npm start brings it back.');
    });
}
