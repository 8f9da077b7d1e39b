import { RegionApi } from '@causeway/client';
import { median } from '../../load/figures.ts';
import { WORKSPACE } from './channel-history.ts';
import { cpuMs } from './cpu-time.ts';
import type { RegionAtWork } from './region-at-work.ts';

/** CPU of the server and its database sessions for one request, p50, and time until its answer, p50; milliseconds. */
export type Cost = { cpuMs: number; ms: number };

/** What else a reader asks of a channel, wherever in its history it lies. */
export type Depth = Record<
  'newest page' | 'page in the middle' | 'oldest page' | 'thread in the middle',
  Cost
>;

const LIMIT = 50;

/** Asks `times` times for each. */
export async function measureDepth(at: RegionAtWork, channel: string, times: number): Promise<Depth> {
  const api = await apiOf(at, 'historian');
  const segments = await at.sql`
    select segment, first, last from causeway.segments
    where zone = 'global' and channel = ${scopeOf(channel)} and first is not null order by segment`;
  const [oldest, middle] = [segments[0]!, segments[Math.floor(segments.length / 2)]!];
  const [reply] = await at.sql`
    select thread from causeway.messages
    where zone = 'global' and channel = ${scopeOf(channel)} and thread is not null
      and t >= ${middle['first'] as string} order by t limit 1`;
  const page = (cursor?: string) => (): Promise<unknown> =>
    api.messages(WORKSPACE, channel, { limit: LIMIT, ...(cursor === undefined ? {} : { cursor }) });
  const cost = (ask: () => Promise<unknown>): Promise<Cost> => costOf(at, ask, times);
  return {
    'newest page': await cost(page()),
    'page in the middle': await cost(page(before(middle['first']))),
    'oldest page': await cost(page(before(oldest['last']))),
    'thread in the middle': await cost(() =>
      api.thread(WORKSPACE, channel, reply!['thread'] as string, { limit: LIMIT }),
    ),
  };
}

/** `prepare` comes before each time, and is not counted. */
export async function costOf(
  at: RegionAtWork,
  ask: () => Promise<unknown>,
  times: number,
  prepare: () => Promise<void> = () => Promise.resolve(),
): Promise<Cost> {
  const { server, postgres } = await at.served();
  const used: number[] = [];
  const took: number[] = [];
  for (let time = 0; time < times; time++) {
    await prepare();
    const [cpu, began] = [cpuMs([...server, ...postgres]), performance.now()];
    await ask();
    took.push(performance.now() - began);
    used.push(cpuMs([...server, ...postgres]) - cpu);
  }
  return { cpuMs: median(used), ms: median(took) };
}

export const apiOf = async ({ region, world }: RegionAtWork, member: string): Promise<RegionApi> =>
  new RegionApi({ url: region.url, token: await world.token(member) });

/** The cursor of a page that ends before this time. */
const before = (t: unknown): string => `${String(t)}~${'A'.repeat(22)}`;
const scopeOf = (channel: string): string => `${WORKSPACE}/channel/${channel}`;
