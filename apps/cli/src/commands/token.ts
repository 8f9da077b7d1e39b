import { Option, type Command } from 'commander';
import { say, type Context } from '../context.ts';
import { duration } from '../durations.ts';

type Options = { workspace: string; region?: string; ttl: number };

export function addToken(program: Command, context: Context): void {
  program
    .command('token')
    .description('print a token that lets a member in')
    .argument('<member>', 'a demo member (ada, ben, chiara, dev) or any other id')
    .option('-w, --workspace <id>', 'the workspace it is for', 'demo')
    .option('-r, --region <region>', 'the region that signs it; the home of the workspace by default')
    .addOption(
      new Option('--ttl <time>', 'how long it is valid, e.g. 30m or 7d')
        .argParser(duration('s'))
        .default(12 * 3_600_000, '12h'),
    )
    .addHelpText('after', '\nExample:\n  TOKEN=$(npx causeway token ada --workspace demo --ttl 12h)')
    .action(async (member: string, { workspace, region, ttl }: Options) => {
      const token = await context.world().token({
        member,
        workspace,
        ttlSeconds: ttl / 1_000,
        ...(region === undefined ? {} : { region }),
      });
      say(context, token);
    });
}
