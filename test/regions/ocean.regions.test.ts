import type { World } from '@causeway/local';
import { segmentName, type Ack } from '@causeway/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chatLines } from './chat-log.ts';
import { reencoded } from './documents.ts';
import { Speaker, eventually } from './speaker.ts';
import { testWorld } from './test-world.ts';

const REGIONS = ['us-east', 'eu-west', 'eu-central', 'ap-south'] as const;
const DELAY_MS = 40;
const MESSAGES = 2_000;
/** Messages under way at once in each region. */
const AT_ONCE = 8;

describe('four regions, 40 ms apart', () => {
  let opened: Awaited<ReturnType<typeof testWorld>> | undefined;
  let world: World;
  const speakers = new Map<string, Speaker>();
  let token: string;

  beforeAll(async () => {
    opened = await testWorld({ delayMs: DELAY_MS });
    world = opened.world;
    token = await world.token('ada');
    for (const region of REGIONS) speakers.set(region, new Speaker(world.regions[region]!.url, token));
  });

  afterAll(async () => {
    await opened?.[Symbol.asyncDispose]();
  });

  it('R1 R3 R4 R5 2,000 messages, a cut, three kills: everything acknowledged is everywhere, once, byte for byte', async () => {
    const { lines } = chatLines(MESSAGES);
    const acknowledged = new Map<string, Ack>();
    const faults = new Faults(world);
    const writing = REGIONS.map(async (region, at) => {
      const mine = lines.filter((_, line) => line % REGIONS.length === at);
      let written = 0;
      const write = async (): Promise<void> => {
        for (let line = mine.shift(); line !== undefined; line = mine.shift()) {
          const ack = await speakers.get(region)!.post(line.body);
          acknowledged.set(ack.id, ack);
          faults.happen(region, ++written);
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, write));
    });
    await Promise.all(writing);
    await faults.over();
    expect(acknowledged.size).toBe(MESSAGES);
    await world.links.heal();

    for (const region of REGIONS) {
      const messages = await eventually(
        `everything in ${region}`,
        () => speakers.get(region)!.everything(),
        (found) => found.length >= MESSAGES,
      );
      const ids = messages.map(({ id }) => id);
      expect(new Set(ids).size, `twice in ${region}`).toBe(ids.length);
      expect(
        [...acknowledged.keys()].filter((id) => !ids.includes(id)),
        `lost in ${region}`,
      ).toEqual([]);
      expect(messages.map(({ body }) => body).sort()).toEqual(lines.map(({ body }) => body).sort());
    }
    for (const name of await segmentsOf(speakers.get('us-east')!))
      await eventually(
        `${name} equal byte for byte`,
        () => Promise.all(REGIONS.map((region) => reencoded(world.regions[region]!.url, name, token))),
        (copies) => new Set(copies).size === 1 && copies[0] !== '',
      );
  });

  it('R2 R3 acknowledged, then SIGKILL of server, NATS and Postgres at once: 100 of 100 survive, in every region (PAINS 25)', async () => {
    const speaker = new Speaker(world.regions['us-east']!.url, token, 'demo', 'random');
    const acks = await Promise.all(Array.from({ length: 100 }, (_, at) => speaker.post(`kept ${at}`)));
    await Promise.all((['server', 'nats', 'postgres'] as const).map((part) => world.kill('us-east', part)));
    for (const part of ['postgres', 'nats', 'server'] as const) await world.restart('us-east', part);
    for (const region of REGIONS) {
      const reader = new Speaker(world.regions[region]!.url, token, 'demo', 'random');
      const found = await eventually(
        `100 in ${region}`,
        () => reader.everything(),
        (messages) => messages.length >= 100,
      );
      expect(found.map(({ id }) => id).sort()).toEqual(acks.map(({ id }) => id).sort());
    }
  });
});

/** What goes wrong on the way: in a region that has so many messages acknowledged and goes on writing. */
class Faults {
  readonly #plan: { region: string; after: number; happen: () => Promise<void> }[];
  readonly #under: Promise<void>[] = [];

  constructor(world: World) {
    this.#plan = [
      { region: 'us-east', after: 80, happen: () => cutOff(world) },
      { region: 'eu-west', after: 150, happen: () => killed(world, 'eu-west', 'server') },
      { region: 'ap-south', after: 200, happen: () => killed(world, 'ap-south', 'nats') },
      { region: 'us-east', after: 250, happen: () => killed(world, 'us-east', 'postgres') },
    ];
  }

  happen(region: string, written: number): void {
    for (const fault of this.#plan)
      if (fault.region === region && fault.after === written) this.#under.push(fault.happen());
  }

  /** Resolves when every fault has happened and what was killed runs again. */
  async over(): Promise<void> {
    expect(this.#under.length).toBe(this.#plan.length);
    await Promise.all(this.#under);
  }
}

async function cutOff(world: World): Promise<void> {
  world.links.cut('us-east', 'eu-west', { mode: 'black-hole' });
  await world.links.assertCut('us-east', 'eu-west');
}

async function killed(world: World, region: string, part: 'server' | 'nats' | 'postgres'): Promise<void> {
  await world.kill(region, part);
  await world.restart(region, part);
}

/** The documents of the channel, as the newest segment number tells. */
async function segmentsOf(speaker: Speaker): Promise<string[]> {
  const { newestSegment } = (await (await speaker.request('GET', '')).json()) as { newestSegment: number };
  return Array.from({ length: newestSegment }, (_, at) => segmentName('demo', 'general', at + 1));
}
