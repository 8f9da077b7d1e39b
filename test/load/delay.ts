import type { World } from '@causeway/local';
import * as Y from 'yjs';
import { connectDocument } from '../regions/documents.ts';
import { percentile, ms, type Figure } from './figures.ts';
import { Crowd } from './posting.ts';

/**
 * How long a message takes from the request in one region to a subscriber's socket in another,
 * above the one-way delay of the link: door, commit, publication, receipt, second commit, fan-out.
 */
export async function measureDelay(world: World, oneWayMs: number, messages: number): Promise<Figure[]> {
  const crowd = await Crowd.at(world, 'us-east', 20);
  await crowd.post('general', 'the first one makes the segment');
  const doc = new Y.Doc();
  const provider = connectDocument(
    doc,
    world.regions['eu-west']!.url,
    'demo/segment/general/1',
    await world.token('ada'),
  );
  await new Promise<void>((resolve) => doc.once('update', () => resolve()));
  const acknowledged: number[] = [];
  const seen: number[] = [];
  for (let at = 0; at < messages; at++) {
    const sentAt = performance.now();
    const arrived = new Promise<number>((resolve) => doc.once('update', () => resolve(performance.now())));
    await crowd.post('general', `message ${at}`);
    acknowledged.push(performance.now() - sentAt);
    seen.push((await arrived) - sentAt - oneWayMs);
  }
  provider.destroy();
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
