import { connect } from '@causeway/client';
import type { World } from '@causeway/local';
import { percentile, ms, type Figure } from './figures.ts';
import { Crowd } from './posting.ts';

/**
 * How long a message takes from the request in one region to a subscriber in another,
 * above the one-way delay of the link: door, commit, publication, receipt, second commit, fan-out.
 */
export async function measureDelay(world: World, oneWayMs: number, messages: number): Promise<Figure[]> {
  const crowd = await Crowd.at(world, 'us-east', 20);
  await crowd.post('general', 'the first one makes the segment');
  const client = await connect({
    url: world.regions['eu-west']!.url,
    token: await world.token('ada'),
    workspace: 'demo',
  });
  const feed = client.openChannel('general');
  /** Resolves with the moment at which the reader's copy shows the text; the feed follows new segments. */
  const shown = (body: string): Promise<number> =>
    new Promise((resolve) => {
      const look = (): void => {
        if (feed.getSnapshot().messages.at(-1)?.body !== body) return;
        stop();
        resolve(performance.now());
      };
      const stop = feed.subscribe(look);
      look();
    });
  await shown('the first one makes the segment');
  const acknowledged: number[] = [];
  const seen: number[] = [];
  for (let at = 0; at < messages; at++) {
    const sentAt = performance.now();
    const arrived = shown(`message ${at}`);
    await crowd.post('general', `message ${at}`);
    acknowledged.push(performance.now() - sentAt);
    seen.push((await arrived) - sentAt - oneWayMs);
  }
  client.close();
  crowd.close();
  return [
    {
      what: 'request to ack, one region, p50',
      value: ms(percentile(acknowledged, 0.5)),
      note: 'after the commit',
    },
    { what: 'request to ack, one region, p99', value: ms(percentile(acknowledged, 0.99)) },
    {
      what: 'region to region above the delay, p50',
      value: ms(percentile(seen, 0.5)),
      note: `${oneWayMs} ms one way taken off`,
    },
    {
      what: 'region to region above the delay, p99',
      value: ms(percentile(seen, 0.99)),
      note: `${messages} messages, one at a time`,
    },
  ];
}
