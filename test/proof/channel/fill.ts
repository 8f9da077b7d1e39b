import { setTimeout as pause } from 'node:timers/promises';
import type { ChannelHistory } from './channel-history.ts';
import type { RegionAtWork } from './region-at-work.ts';

const SAY_EVERY_MS = 10_000;

/** Milliseconds from the first command: until the last was acknowledged, and until the region was at rest. */
export type Filled = { writtenMs: number; restMs: number; commands: number };

/** Writes until the channel has so many messages, then waits for the projector and the compactor. */
export async function fill(
  at: RegionAtWork,
  [small, large]: readonly [ChannelHistory, ChannelHistory],
  messages: readonly [number, number],
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<Filled> {
  const began = performance.now();
  const since = (): number => performance.now() - began;
  await small.until(messages[0], signal);
  const done = new AbortController();
  const writing = large.until(messages[1], signal).finally(() => done.abort());
  while (!done.signal.aborted) {
    await pause(SAY_EVERY_MS, undefined, { signal: done.signal }).catch(() => undefined);
    const rate = Math.round(large.commands / (since() / 1_000));
    say(`${large.messages.toLocaleString('en')} messages, ${rate.toLocaleString('en')} commands a second`);
  }
  await writing;
  const writtenMs = since();
  signal.throwIfAborted();
  await at.rest(Object.fromEntries([small, large].map((each) => [each.channel, each.messages])), say, signal);
  return { writtenMs, restMs: since(), commands: small.commands + large.commands };
}
