import type { World } from '@causeway/local';
import { randomBytes } from 'node:crypto';
import { Speaker } from '../../regions/speaker.ts';
import type { Seat } from './crowd-process.ts';
import type { Poster } from './posters.ts';

/** Sessions that have the same channel open; the bound on members of a new channel is 100. */
const TOGETHER = 80;
/** Messages in a channel before anything begins: a screen of them. */
const WRITTEN = 50;
const AT_ONCE = 8;

/**
 * Private channels of 80 members with some messages in each, a seat in one of them for each session, and
 * one member more in the first of them who posts.
 */
export async function openHall(
  world: World,
  region: string,
  sessions: number,
  posters: number,
): Promise<{ seats: Seat[]; posters: Poster[] }> {
  const { url } = world.regions[region]!;
  const seats: Seat[] = [];
  const hands: Poster[] = [];
  const admin = await world.token('ada');
  const numbers = Array.from({ length: Math.max(posters, Math.ceil(sessions / TOGETHER)) }, (_, at) => at);
  const lane = async (): Promise<void> => {
    for (let at = numbers.shift(); at !== undefined; at = numbers.shift()) {
      const count = Math.max(0, Math.min(TOGETHER, sessions - at * TOGETHER));
      const members = Array.from({ length: count }, (_, n) => `member-${at! * TOGETHER + n}`);
      const poster = `poster-${at}`;
      const channel = await makeChannel(url, admin, `group-${at}`, [poster, ...members]);
      const token = await world.token(poster);
      const speaker = new Speaker(url, token, 'demo', channel);
      for (let n = 0; n < WRITTEN; n++)
        await speaker.post(`message ${n} of about sixty characters, as chat has them`);
      for (const member of members) seats.push({ member, token: await world.token(member), channel });
      if (at < posters) hands.push({ token, channel });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return { seats, posters: hands };
}

async function makeChannel(url: string, token: string, slug: string, members: string[]): Promise<string> {
  const answer = await fetch(`${url}/v1/workspaces/demo/channels`, {
    method: 'POST',
    headers: { 'authorization': `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ slug, private: true, members, nonce: randomBytes(16).toString('base64url') }),
  });
  if (answer.status !== 201) throw new Error(`a channel was refused: ${await answer.text()}`);
  return ((await answer.json()) as { id: string }).id;
}
