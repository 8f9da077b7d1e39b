import type { Command } from 'commander';
import { say, type Context } from '../context.ts';
import { delay } from '../durations.ts';

export function addSlow(program: Command, context: Context): void {
  program
    .command('slow')
    .description('set the delay of the link between two regions')
    .argument('<a>', 'a region')
    .argument('<b>', 'another region')
    .argument('<delay>', 'one way, e.g. 120ms, at most 60s; a bare number is in milliseconds', delay)
    .addHelpText('after', '\nExample:\n  causeway slow us-east eu-west 120ms')
    .action(async (a: string, b: string, delayMs: number) => {
      await context.world().links({ action: 'slow', a, b, delayMs });
      say(context, `${a} <-> ${b} takes ${delayMs} ms each way. Undo: causeway heal ${a} ${b}`);
    });
}
