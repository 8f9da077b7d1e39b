import { MAX_SERVERS, type PartName, type PartsRequest } from '@causeway/local';
import type { Command } from 'commander';
import { say, type Context } from '../context.ts';

type Action = {
  name: PartsRequest['action'];
  description: string;
  /** What is said when it is done; `what` is a part of a region, or a region. */
  done(what: string, words: string): string;
};

const PARTS = `server, nats, postgres or directory (three regions have one), in a world of several servers also server-2 to server-${MAX_SERVERS}`;

export const addKill = adder({
  name: 'kill',
  description: 'SIGKILL a part of a region, or all of it; it stays dead until it is restarted',
  done: (what, words) => `${what} is dead. Undo: causeway restart ${words}`,
});

export const addRestart = adder({
  name: 'restart',
  description: 'start a part of a region, or all of it, after stopping what runs',
  done: (what) => `${what} is ready.`,
});

export const addPause = adder({
  name: 'pause',
  description: 'stop a part of a region, or all of it, where it is (SIGSTOP), its connections open',
  done: (what, words) => `${what} is paused: it answers nobody. Undo: causeway resume ${words}`,
});

export const addResume = adder({
  name: 'resume',
  description: 'let what was paused go on (SIGCONT)',
  done: (what) => `${what} goes on.`,
});

function adder({ name, description, done }: Action): (program: Command, context: Context) => void {
  return (program, context) => {
    program
      .command(name)
      .description(description)
      .argument('<region>', 'a region')
      .argument('[part]', `${PARTS}; without one, all of the region`)
      .addHelpText('after', `\nExamples:\n  causeway ${name} us-east server\n  causeway ${name} us-east`)
      .action(async (region: string, part: string | undefined) => {
        // The world knows which parts there are.
        const named = part === undefined ? {} : { part: part as PartName };
        await context.world().parts({ action: name, region, ...named });
        const words = part === undefined ? region : `${region} ${part}`;
        say(context, done(part === undefined ? region : `${part} of ${region}`, words));
      });
  };
}
