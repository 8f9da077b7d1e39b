/** The connection of a client without its stores, for programs that hold many of them. */
export { Credentials } from './credentials.ts';
export { FRAME, SYNC } from './frames.ts';
export type { Line } from './link.ts';
export { Session } from './session.ts';
