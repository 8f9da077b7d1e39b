import { WorldError } from '@causeway/local';
import { CausewayError } from '@causeway/protocol';
import { CommanderError } from 'commander';
import type { Context } from './context.ts';
import { Failure } from './failure.ts';
import { programFor } from './program.ts';

/**
 * Runs one command line, without the program's name; resolves with the exit code: 0 done,
 * 1 failed, 2 used wrongly. Only what is our own mistake shows a stack trace.
 */
export async function run(args: readonly string[], context: Context): Promise<number> {
  try {
    await programFor(context).parseAsync(args, { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (isExpected(error)) {
      context.err.write(`${error.message}\n`);
      return error instanceof Failure && error.kind === 'wrong-use' ? 2 : 1;
    }
    context.err.write(`${error instanceof Error ? error.stack : String(error)}\n`);
    return 1;
  }
}

const isExpected = (error: unknown): error is Error =>
  error instanceof Failure || error instanceof WorldError || error instanceof CausewayError;
