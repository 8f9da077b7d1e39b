import type { WorldClient } from './world-client.ts';

/** What a command may use of the world around it; tests bring their own. */
export type Context = {
  env: Readonly<Record<string, string | undefined>>;
  /** Results, for people and pipes. */
  out: NodeJS.WriteStream;
  /** Progress, hints and errors. */
  err: NodeJS.WriteStream;
  /** The world that runs on this home; fails with what to do when there is none. */
  world(): WorldClient;
};

/** One line of a result. */
export const say = (context: Context, line: string): void => void context.out.write(`${line}\n`);
