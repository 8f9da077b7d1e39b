import type { ChannelFeed } from '@causeway/client';
import type { Message } from '@causeway/protocol';
import type { Command } from 'commander';
import { say, type Context } from '../context.ts';
import { count } from '../counts.ts';
import { signIn, withPlace, type Place } from '../place.ts';
import { onSignals } from '../signals.ts';

export function addTail(program: Command, context: Context): void {
  withPlace(program.command('tail'))
    .description('show a channel as one region sees it, and go on until Ctrl-C')
    .option('-n, --lines <count>', 'how many earlier messages to begin with', count, 10)
    .addHelpText('after', '\nExample:\n  npx causeway tail --region ap-south --channel general')
    .action(async ({ lines, ...place }: Place & { lines: number }) => {
      const client = await signIn(context, place);
      try {
        await follow(context, client.openChannel(place.channel), lines);
      } finally {
        await client.close();
      }
    });
}

/** Shows the last `lines` messages, then what changes, until Ctrl-C. */
async function follow(context: Context, feed: ChannelFeed, lines: number): Promise<void> {
  const shown = new Map<string, string>();
  let started = false;
  let connection = '';
  const show = (): void => {
    const snapshot = feed.getSnapshot();
    if (snapshot.connection !== connection) {
      connection = snapshot.connection;
      context.err.write(`(${connection})\n`);
    }
    if (snapshot.connection !== 'live' && !started) return;
    const messages = started ? snapshot.messages : snapshot.messages.slice(-lines);
    if (!started) for (const message of snapshot.messages) shown.set(message.id, versionOf(message));
    for (const message of messages) {
      const known = shown.get(message.id);
      if (started && known === versionOf(message)) continue;
      shown.set(message.id, versionOf(message));
      say(context, lineOf(message, started && known !== undefined));
    }
    started = true;
  };
  const stop = feed.subscribe(show);
  show();
  await new Promise<void>((resolve) => onSignals(resolve, resolve));
  stop();
}

const versionOf = ({ body, editedAt, reactions }: Message): string =>
  `${editedAt ?? ''} ${body} ${JSON.stringify(reactions ?? {})}`;

function lineOf({ at, author, body, region, reactions }: Message, changed: boolean): string {
  const time = new Date(at).toTimeString().slice(0, 8);
  const marks = Object.entries(reactions ?? {}).map(([emoji, members]) => ` ${emoji} ${members.length}`);
  return `${time} ${region.padEnd(10)} <${author}> ${body}${changed ? ' (changed)' : ''}${marks.join('')}`;
}
