import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

const RETRY_MS = 50;

/**
 * Whether a broker greets within `withinMs` at this port of 127.0.0.1: NATS speaks first, so the
 * first byte of its INFO line says that both directions work.
 */
export function hearsGreeting(port: number, withinMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    const done = (heard: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(heard);
    };
    const timer = setTimeout(() => done(false), withinMs);
    socket.once('data', () => done(true));
    socket.once('error', () => done(false));
    socket.once('close', () => done(false));
  });
}

/** The same, trying again while connections are refused or reset. */
export async function comesToGreet(port: number, withinMs: number): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  while (performance.now() < deadline) {
    if (await hearsGreeting(port, deadline - performance.now())) return true;
    await pause(RETRY_MS);
  }
  return false;
}
