import type { Command } from 'commander';
import { say, type Context } from '../context.ts';

export function addRebuild(program: Command, context: Context): void {
  program
    .command('rebuild')
    .description('rebuild the views of a region from its log, showing how that goes on')
    .argument('<region>', 'a region')
    .addHelpText('after', '\nExample:\n  causeway rebuild us-east')
    .action(async (region: string) => {
      await context.world().rebuild(region, (line) => void context.err.write(`${line}\n`));
      say(context, `The views of ${region} are rebuilt.`);
    });
}
