import type { Command } from 'commander';
import { say, type Context } from '../context.ts';

type Options = { reset?: true; oneWay?: true };

export function addPartition(program: Command, context: Context): void {
  program
    .command('partition')
    .description('cut the link between two regions')
    .argument('<a>', 'a region')
    .argument('<b>', 'another region')
    .option('--reset', 'tear connections down, instead of swallowing everything like a black hole')
    .option('--one-way', 'cut only what <a> sends to <b>')
    .addHelpText('after', '\nExample:\n  causeway partition us-east eu-west')
    .action(async (a: string, b: string, { reset, oneWay }: Options) => {
      await context.world().links({
        action: 'cut',
        a,
        b,
        mode: reset === true ? 'reset' : 'black-hole',
        direction: oneWay === true ? 'there' : 'both',
      });
      const how = reset === true ? 'connections are reset' : 'nothing passes';
      say(
        context,
        `${a} ${oneWay === true ? '->' : '<->'} ${b} is cut: ${how}. Undo: causeway heal ${a} ${b}`,
      );
    });
}
