import { WORKSPACE, type ChannelHistory } from './channel-history.ts';
import { costOf, type Cost } from './depth.ts';
import type { RegionAtWork } from './region-at-work.ts';

/**
 * What it costs to count again, after a change of this channel, for a member who never read anything; and what the
 * badge then says.
 */
export async function measureUnread(
  at: RegionAtWork,
  history: ChannelHistory,
  times: number,
  signal: AbortSignal,
): Promise<Cost & { unread: number }> {
  const token = await at.world.token('newcomer');
  const workspace = `${at.region.url}/v1/workspaces/${WORKSPACE}`;
  const headers = { authorization: `Bearer ${token}` };
  const joined = await fetch(`${workspace}/channels/${history.channel}/joined`, {
    method: 'PUT',
    headers: { ...headers, 'content-type': 'application/json' },
    body: '{}',
  });
  if (!joined.ok) throw new Error(`joining answered ${joined.status}`);
  const ask = async (): Promise<number> => {
    const answer = await fetch(`${workspace}/unread`, { headers });
    const { channels } = (await answer.json()) as { channels: { channel: string; unread: number }[] };
    return channels.find(({ channel }) => channel === history.channel)!.unread;
  };
  const change = (): Promise<void> => history.until(history.messages + 1, signal);
  return { ...(await costOf(at, ask, times, change)), unread: await ask() };
}
