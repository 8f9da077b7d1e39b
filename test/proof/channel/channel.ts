import type { Finding } from '../finding.ts';
import { ChannelHistory } from './channel-history.ts';
import { relayTo } from './counting-relay.ts';
import { measureDepth } from './depth.ts';
import { fill } from './fill.ts';
import { coldFinding, depthFindings, filledFinding, reactedFinding, unreadFinding } from './findings.ts';
import { isSteady, openingFindings, type Opened } from './opening-findings.ts';
import { RegionAtWork } from './region-at-work.ts';
import { openCold, openInRounds, openLarge } from './rounds.ts';
import { measureUnread } from './unread.ts';
import { openWriter } from './writer.ts';

/** Messages in the two channels. */
const LARGE = 1_000_000;
const SMALL = 1_000;
/** 500 posts fill a segment: the rounds together see it from empty to full. */
const PACE = {
  whole: { rounds: 20, openings: 10, posts: 25 },
  share: { rounds: 5, openings: 8, posts: 100 },
} as const;
/** Where the ratios of the first openings are too large, as many again, so many times, may show that it was noise. */
const TRIES = 3;
/** Requests of each kind; openings of what is not in memory, each of which waits for it to leave. */
const TIMES = { whole: { each: 100, cold: 3 }, share: { each: 20, cold: 0 } } as const;
/** The newest messages that get so many more reactions, each. */
const REACTED = { messages: 500, times: 5 } as const;

/**
 * A region with a channel of a million messages (`share`: a fiftieth has a fiftieth of them) and one of a
 * thousand, and what it costs to open them. Rejects when the signal fires.
 */
export async function proveChannel(
  share: number,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<Finding[]> {
  const [pace, times] = share === 1 ? [PACE.whole, TIMES.whole] : [PACE.share, TIMES.share];
  say('starting a region …');
  await using at = await RegionAtWork.start(signal);
  await using opened = new AsyncDisposableStack();
  const writer = await openWriter(at.region);
  opened.defer(() => writer.close());
  const small = new ChannelHistory(writer.replica, 'random');
  const large = new ChannelHistory(writer.replica, 'general');
  const messages = Math.ceil(LARGE / share);
  const filled = await fill(at, [small, large], [SMALL, messages], say, signal);
  const size = await at.sizes();
  const relay = await relayTo(at.region.url);
  opened.defer(() => relay.close());
  const scene = { at, relay, small, large, signal };
  const openings: Opened = { small: [], large: [] };
  for (let tries = 0; tries === 0 || (tries < TRIES && !isSteady(openings)); tries++)
    await openInRounds(scene, pace, openings, say);
  say('pages, threads and badges …');
  const pages = [
    await measureDepth(at, small.channel, times.each),
    await measureDepth(at, large.channel, times.each),
  ] as const;
  const unread = [
    await measureUnread(at, small, times.each, signal),
    await measureUnread(at, large, times.each, signal),
  ] as const;
  if (times.cold > 0) say('openings of what is not in memory …');
  const cold = await openCold(scene, times.cold);
  await large.react(REACTED.messages, REACTED.times);
  const reacted = await openLarge(scene, times.each);
  return [
    filledFinding(messages, filled),
    ...openingFindings(openings, share === 1),
    ...(times.cold > 0 ? [coldFinding(cold)] : []),
    reactedFinding(openings.large, reacted, REACTED.times),
    ...depthFindings(...pages),
    unreadFinding(...unread),
    size,
  ];
}
