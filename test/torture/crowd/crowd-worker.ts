import { parentPort, workerData } from 'node:worker_threads';
import { setTimeout as pause } from 'node:timers/promises';
import { SeededRandom } from '../../sim/seeded-random.ts';
import type { Operation } from '../journal.ts';
import { AddressBook } from './address-book.ts';
import { Desk } from './desk.ts';
import { Member, type Shared } from './member.ts';
import type { CrowdOptions, Order, Report } from './messages.ts';

const { seed, workspace, channels, regions, members, canvases, rate } = workerData as CrowdOptions;
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
const say = (report: Report): void => parentPort!.postMessage(report);

/** Words that a desk writes per second. */
const WORDS_PER_SECOND = 0.7;
const REPEAT_PERCENT = 6;

const random = new SeededRandom(seed);
const book = new AddressBook(regions, random);
let working = false;
const leaving = new AbortController();
let underWay = 0;
let words = 0;
/** By word, the region that its writer was connected to. */
const home = new Map<string, string>();

const shared: Shared = {
  workspace,
  channels,
  book,
  random,
  posted: [],
  told: (operation) => say({ operation }),
  failed: (code) => say({ failed: code }),
};
const crowd = members.map((member) => new Member(member, shared));

async function counted<T>(work: () => Promise<T>): Promise<T> {
  underWay++;
  say({ started: 1 });
  try {
    return await work();
  } finally {
    if (--underWay === 0 && !working) say({ idle: true });
  }
}

async function live(member: Member): Promise<void> {
  const everyMs = (1_000 * crowd.length) / rate;
  while (!leaving.signal.aborted) {
    await pause(everyMs * (0.4 + random.below(120) / 100));
    if (!working) continue;
    const operation = await counted(() => member.act());
    if (operation.outcome.acknowledged && random.chance(REPEAT_PERCENT)) void repeatLater(member, operation);
  }
}

/** A copy of a request that was on its way for long, or a client that never heard the answer. */
async function repeatLater(member: Member, { command }: Operation): Promise<void> {
  await pause(2_000 + random.below(40_000));
  if (working) await counted(() => member.send(command, 'region', book.any(), true));
}

function openDesk(document: string, region: string): Desk {
  return new Desk(
    { document, region, token: random.pick(members).token },
    {
      book,
      random,
      events: {
        wrote: (word) => say({ wrote: word, document }),
        removes: (word) => say({ removes: word }),
        saw(word, at) {
          if (home.has(word) && home.get(word) !== at) say({ saw: word, document, at: Date.now() });
        },
      },
    },
  );
}

async function sitAt(document: string, region: string): Promise<void> {
  const desk = openDesk(document, region);
  while (!leaving.signal.aborted) {
    await pause((1_000 / WORDS_PER_SECOND) * (0.5 + random.below(100) / 100));
    if (!working || leaving.signal.aborted) continue;
    if (random.chance(5)) desk.move();
    else if (random.chance(3)) desk.renew();
    const word = `w${++words}`;
    home.set(word, desk.region);
    desk.write(word);
  }
  desk.leave();
}

async function burst(region: string, url: string, count: number): Promise<void> {
  await Promise.all(
    Array.from({ length: count }, (_, at) => {
      const member = crowd[at % crowd.length]!;
      return counted(() => member.send(member.post(random.pick(channels)), 'region', { region, url }));
    }),
  );
}

parentPort!.on('message', (order: Order) => {
  if (order.order === 'burst') return void burst(order.region, order.url, order.count);
  working = order.order === 'work';
  if (order.order !== 'leave') {
    if (!working && underWay === 0) say({ idle: true });
    return;
  }
  leaving.abort();
  void Promise.all(lives).then(() => {
    say({ left: true });
    parentPort!.close();
  });
});
const lives = [
  ...crowd.map(live),
  ...canvases.flatMap((document) => regions.map(({ region }) => sitAt(document, region))),
];
