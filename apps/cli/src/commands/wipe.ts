import type { Command } from 'commander';
import { say, type Context } from '../context.ts';
import { Failure } from '../failure.ts';

export function addWipe(program: Command, context: Context): void {
  program
    .command('wipe')
    .description('lose a region with its disk: kill all of it, delete what it stored, start it empty')
    .argument('<region>', 'a region')
    .option('--yes', 'really')
    .addHelpText('after', '\nExample:\n  causeway wipe us-east --yes')
    .action(async (region: string, { yes }: { yes?: true }) => {
      if (yes !== true)
        throw new Failure(
          `This deletes the Postgres database and the NATS streams of ${region}. Other regions of its zones ` +
            'hold what they have received, and bring it back. What was acknowledged at level region and ' +
            'not yet published is lost, and so is what was published and no other region has received.\n' +
            `If you mean it: causeway wipe ${region} --yes`,
          'wrong-use',
        );
      await context.world().wipe(region);
      say(context, `${region} was wiped and runs again, empty. Its peers fill it: causeway status`);
    });
}
