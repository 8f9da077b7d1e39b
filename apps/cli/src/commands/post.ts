import { HASH_ID, LIMITS } from '@causeway/protocol';
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
      check(text, thread);
      const client = await signIn(context, place);
      try {
        const { id } = await client.post(place.channel, text, thread === undefined ? {} : { thread });
        say(context, id);
      } catch (cause) {
        throw new Failure(`Not posted: ${(cause as Error).message}`, 'failed', { cause });
      } finally {
        await client.close();
      }
    });
}

/** What the region would refuse too, in words about this command line. */
function check(text: string, thread: string | undefined): void {
  if (text === '') throw new Failure('Say something: the text is empty.', 'wrong-use');
  if (text.length > LIMITS.bodyChars)
    throw new Failure(
      `A message holds at most ${LIMITS.bodyChars} characters, this one has ${text.length}.`,
      'wrong-use',
    );
  if (thread !== undefined && !HASH_ID.test(thread))
    throw new Failure(
      `--thread "${thread}" is no id of a message: those have 22 characters, as "causeway post" prints them.`,
      'wrong-use',
    );
}
