import type { Command } from 'commander';
import { say, type Context } from '../context.ts';
import { paintFor } from '../paint.ts';
import { statusView } from '../status-view.ts';

export function addStatus(program: Command, context: Context): void {
  program
    .command('status')
    .description('show the regions and links of the world that runs')
    .option('--json', 'everything that is known, for programs')
    .addHelpText('after', '\nExample:\n  causeway status')
    .action(async ({ json }: { json?: true }) => {
      const status = await context.world().status();
      say(
        context,
        json === true
          ? JSON.stringify(status, null, 2)
          : statusView(status, paintFor(context.out), Date.now()),
      );
    });
}
