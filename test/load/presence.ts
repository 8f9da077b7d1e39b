import { availableParallelism, cpus } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { openBrokers } from './brokers.ts';
import { ms, percentile, table, type Figure } from './figures.ts';
import { Server } from './presence-server.ts';

const HELP = `npm run bench:presence [-- --short]

Two regions 120 ms apart over real NATS: what 1,000 members who are online and idle cost a server
process in CPU, against none, and how long a change takes to be seen in the other region. About two
minutes; --short takes a tenth. Exits with 1 when it costs more than 0.3 % of a core, or the
slowest of a hundred takes more than a second.`;

const DELAY_MS = 120;
const MEMBERS = 1_000;
const CORE_PERCENT = 0.3;
const REGIONS = ['us-east', 'eu-west'] as const;

const { values } = parseArgs({ options: { short: { type: 'boolean' }, help: { type: 'boolean' } } });
if (values.help === true) console.log(HELP);
else if (!(await bench(values.short === true ? 10 : 1))) process.exitCode = 1;

async function bench(divisor: number): Promise<boolean> {
  await using brokers = await openBrokers(REGIONS, DELAY_MS);
  const [us, eu] = await Promise.all(REGIONS.map((region) => Server.start(brokers.options(region))));
  try {
    return await measure(us!, eu!, { quietMs: 30_000 / divisor, changes: 500 / divisor });
  } finally {
    for (const server of [us!, eu!]) server.stop();
  }
}

async function measure(
  us: Server,
  eu: Server,
  { quietMs, changes }: { quietMs: number; changes: number },
): Promise<boolean> {
  // Starting up is over.
  await pause(6_000);
  const none = await Promise.all([us, eu].map((server) => server.cpuOver(quietMs)));
  us.order({ do: 'enter', members: MEMBERS });
  eu.order({ do: 'watch', members: MEMBERS });
  await eu.sees(
    (states) => states.size === MEMBERS && [...states.values()].every(({ state }) => state === 'online'),
  );
  // Until the first lease has found everything right.
  await pause(6_000);
  const idle = await Promise.all([us, eu].map((server) => server.cpuOver(quietMs)));

  const took: number[] = [];
  for (let at = 0; at < changes; at++) {
    const member = (at * 7) % MEMBERS;
    const goesIdle = eu.states.get(`member-number-${member}`)?.state === 'online';
    const changed = us.next('changed');
    us.order({ do: 'change', member, idle: goesIdle });
    const { at: changedAt } = await changed;
    const state = goesIdle ? 'away' : 'online';
    await eu.sees((states) => states.get(`member-number-${member}`)?.state === state);
    took.push(eu.states.get(`member-number-${member}`)!.at - changedAt);
  }

  const percent = (cpuMs: number): number => (100 * cpuMs) / quietMs;
  const more = idle.map((cpuMs, at) => percent(cpuMs - none[at]!));
  const p99 = percentile(took, 0.99);
  const figures: Figure[] = REGIONS.flatMap((region, at) => [
    { what: `CPU of ${region}, nobody there`, value: `${percent(none[at]!).toFixed(2)} %` },
    {
      what: `CPU of ${region}, ${MEMBERS} members idle`,
      value: `${percent(idle[at]!).toFixed(2)} %`,
      note: `of one core over ${quietMs / 1_000} s; ${more[at]!.toFixed(2)} % more`,
    },
  ]);
  figures.push(
    { what: 'a change is seen in the other region, p50', value: ms(percentile(took, 0.5)) },
    {
      what: 'a change is seen in the other region, p99',
      value: ms(p99),
      note: `${DELAY_MS} ms one way, ${changes} changes`,
    },
  );
  console.log(
    `${new Date().toISOString().slice(0, 10)}, ${cpus()[0]?.model}, ${availableParallelism()} cores, Node ${process.version}`,
  );
  console.log(table(figures));
  return more.every((percents) => percents <= CORE_PERCENT) && p99 <= 1_000;
}
