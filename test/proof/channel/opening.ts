import { connect, type ChannelSnapshot, type Client } from '@causeway/client';
import { setTimeout as pause } from 'node:timers/promises';
import { WORKSPACE } from './channel-history.ts';
import type { CountingRelay } from './counting-relay.ts';
import { cpuMs } from './cpu-time.ts';

/** What one opening of a channel took. */
export type Opening = {
  /** From the call until messages are shown and live, milliseconds; of the client's own work as well. */
  usableMs: number;
  /** On the wire, both directions, with all that HTTP and WebSocket add. */
  bytes: number;
  /** CPU of the server process, all its threads, milliseconds. */
  serverMs: number;
  /** CPU of the server's database sessions, milliseconds. */
  postgresMs: number;
};

/** The processes that serve an opening. */
export type Served = { server: readonly number[]; postgres: readonly number[] };

/** Nothing has passed for so long: what was asked for has come. */
const QUIET_MS = 40;
const PATIENCE_MS = 20_000;

/**
 * A client signs in (not counted), opens the channel as any app does, and leaves: first page, description
 * of the channel, newest segments, reactions.
 */
export async function openOnce(
  { relay, token, served }: { relay: CountingRelay; token: string; served: Served },
  channel: string,
): Promise<Opening> {
  const client = await connect({ url: relay.url, token, workspace: WORKSPACE });
  try {
    await live(client);
    await quiet(relay);
    const before = { bytes: relay.bytes, server: cpuMs(served.server), postgres: cpuMs(served.postgres) };
    const began = performance.now();
    const feed = client.openChannel(channel);
    await until(feed.subscribe, () => isUsable(feed.getSnapshot()));
    const usableMs = performance.now() - began;
    await quiet(relay);
    return {
      usableMs,
      bytes: relay.bytes - before.bytes,
      serverMs: cpuMs(served.server) - before.server,
      postgresMs: cpuMs(served.postgres) - before.postgres,
    };
  } finally {
    await client.close();
  }
}

const isUsable = ({ connection, older, messages }: ChannelSnapshot): boolean =>
  connection === 'live' && older !== 'loading' && messages.length >= 50;

const live = (client: Client): Promise<void> =>
  until(client.connection.subscribe, () => client.connection.getSnapshot().status === 'live');

/** Resolves when nothing has passed for a while. */
export async function quiet(relay: CountingRelay): Promise<void> {
  for (let before = -1; before !== relay.bytes; await pause(QUIET_MS)) before = relay.bytes;
}

/** Resolves when it holds; rejects when it does not in time. */
async function until(subscribe: (listener: () => void) => () => void, holds: () => boolean): Promise<void> {
  if (holds()) return;
  await new Promise<void>((resolve, reject) => {
    const patience = setTimeout(() => {
      leave();
      reject(new Error('the channel did not open in time'));
    }, PATIENCE_MS);
    const leave = subscribe(() => {
      if (!holds()) return;
      clearTimeout(patience);
      leave();
      resolve();
    });
  });
}
