import type { Command } from 'commander';
import { say, type Context } from '../context.ts';
import { Failure } from '../failure.ts';
import { signIn, withPlace, type Place } from '../place.ts';

export function addPost(program: Command, context: Context): void {
  withPlace(program.command('post'))
    .description('post a message; prints its id once it is durable')
    .argument('<text>', 'what to say')
    .option('--thread <message>', 'the id of the message that this one answers')
    .addHelpText(
      'after',
      '\nExample:\n  npx causeway post "hello from Frankfurt" --region eu-central --member ben',
    )
    .action(async (text: string, { thread, ...place }: Place & { thread?: string }) => {
      const client = await signIn(context, place);
      try {
        const { id } = await client.post(place.channel, text, thread === undefined ? {} : { thread });
        say(context, id);
      } catch (cause) {
        throw new Failure(`Not posted: ${(cause as Error).message}`, 'failed', { cause });
      } finally {
        client.close();
      }
    });
}
