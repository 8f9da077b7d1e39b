import { Command } from 'commander';
import { addDown } from './commands/down.ts';
import { addHeal } from './commands/heal.ts';
import { addPartition } from './commands/partition.ts';
import { addKill, addPause, addRestart, addResume } from './commands/parts.ts';
import { addPost } from './commands/post.ts';
import { addRebuild } from './commands/rebuild.ts';
import { addReplay } from './commands/replay.ts';
import { addSlow } from './commands/slow.ts';
import { addStatus } from './commands/status.ts';
import { addTail } from './commands/tail.ts';
import { addToken } from './commands/token.ts';
import { addUp } from './commands/up.ts';
import { addWipe } from './commands/wipe.ts';
import type { Context } from './context.ts';

/** Every command, in the order in which help shows them. */
const COMMANDS = [
  addUp,
  addStatus,
  addPartition,
  addSlow,
  addHeal,
  addKill,
  addRestart,
  addPause,
  addResume,
  addWipe,
  addRebuild,
  addToken,
  addPost,
  addTail,
  addReplay,
  addDown,
];

/** The command line; it throws where commander by itself would end the process. */
export function programFor(context: Context): Command {
  const program = new Command('causeway')
    .description('A chat backend that runs in every region at once, on your desk')
    .configureOutput({
      writeOut: (text) => void context.out.write(text),
      writeErr: (text) => void context.err.write(text),
    })
    .showHelpAfterError('(--help tells more)')
    .exitOverride();
  // Commands inherit the two settings above only when they are made after them.
  for (const add of COMMANDS) add(program, context);
  return program;
}
