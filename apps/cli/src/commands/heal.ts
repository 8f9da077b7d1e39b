import type { Command } from 'commander';
import { say, type Context } from '../context.ts';

export function addHeal(program: Command, context: Context): void {
  program
    .command('heal')
    .description('make links as they were at first: open, with their first delays')
    .argument('[a]', 'a region; without one, all links are healed')
    .argument('[b]', 'another region; without one, all links of <a> are healed')
    .addHelpText('after', '\nExamples:\n  causeway heal\n  causeway heal us-east eu-west')
    .action(async (a: string | undefined, b: string | undefined) => {
      await context.world().links({
        action: 'heal',
        ...(a === undefined ? {} : { a }),
        ...(b === undefined ? {} : { b }),
      });
      const what =
        a === undefined ? 'All links are' : b === undefined ? `All links of ${a} are` : `${a} <-> ${b} is`;
      say(context, `${what} healed.`);
    });
}
