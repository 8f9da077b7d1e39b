import { availableParallelism, cpus, totalmem } from 'node:os';
import type { Rule } from './checker.ts';
import { growthOf } from './memory.ts';
import { clock, type Outcome } from './run.ts';

const RULES: readonly Rule[] = ['lost', 'duplicated', 'diverged', 'invented'];
const MB = 1024 * 1024;
/** Findings that are written out. */
const SHOWN = 40;

/** Nothing lost, duplicated, diverged or invented, and converged after every heal. */
export const sameAsPromised = ({ verdict, heals }: Outcome): boolean =>
  verdict.findings.length === 0 && heals.every(({ ms }) => ms !== undefined);

/** The report as Markdown. `timeline`: the picture beside it. */
export function reportOf(outcome: Outcome, { date, timeline }: { date: string; timeline: string }): string {
  const { options, journal, faults, heals, troubles, verdict, startedAt, endedAt } = outcome;
  const { operations } = journal;
  const acknowledged = operations.filter(({ outcome }) => outcome.acknowledged);
  const times = heals.flatMap(({ ms }) => ms ?? []).sort((a, b) => a - b);
  const open = heals.length - times.length;
  const kinds = counts(faults.map(({ kind }) => kind));
  return `# ${date} Torture: ${sameAsPromised(outcome) ? 'nothing lost, nothing diverged' : 'a promise was broken'}

\`npm run torture -- --minutes ${options.minutes} --seed ${options.seed} --regions ${options.regions.join(',')} --servers ${options.servers} --rate ${options.rate}\`

![Faults, work and convergence over time](${timeline})

${table([
  ['', ''],
  [
    'lived',
    `${clock(endedAt - startedAt)} min, ${options.regions.length} regions of ${options.servers} servers, ${options.delayMs} ms apart`,
  ],
  ['faults', `${faults.length} of ${kinds.length} kinds`],
  ['operations', `${journal.started.toLocaleString('en')}`],
  [
    'acknowledged',
    `${acknowledged.length.toLocaleString('en')}, ${acknowledged.filter(({ outcome }) => outcome.acknowledged && outcome.level === 'zone').length.toLocaleString('en')} of them at level \`zone\``,
  ],
  [
    'canvas words',
    `${journal.written.size.toLocaleString('en')} written, ${journal.words.size.toLocaleString('en')} seen in another region`,
  ],
  ...RULES.map((rule): [string, string] => [
    `**${rule}**`,
    `**${verdict.findings.filter((finding) => finding.rule === rule).length}**`,
  ]),
  [
    'gone with a disk',
    `${verdict.lostWithDisk} (level \`region\`, the disk destroyed before another region had it)`,
  ],
  [
    'converged after heal',
    `${times.length} of ${heals.length}${open > 0 ? `, **${open} not within the bound**` : ''}; median ${seconds(times[Math.floor(times.length / 2)])}, longest ${seconds(times.at(-1))}`,
  ],
])}

A canvas word counts as acknowledged when somebody at another region has seen it. Time to converge is
from the moment when every link is healed and every process ready, until the databases of all
regions hold the same under every name and nothing waits for publication.

## Operations

${table([
  ['kind', 'begun', 'acknowledged', 'repeats', 'refused or given up'],
  ...counts(operations.map(({ command }) => command.kind)).map(([kind]) => {
    const these = operations.filter(({ command }) => command.kind === kind);
    const acked = these.filter(({ outcome }) => outcome.acknowledged).length;
    return [
      kind,
      `${these.length}`,
      `${acked}`,
      `${these.filter(({ repeat }) => repeat).length}`,
      `${these.length - acked}`,
    ];
  }),
])}

Answers that were no acknowledgement, after which the very same command went elsewhere:
${
  [...journal.errors]
    .sort(([, a], [, b]) => b - a)
    .map(([code, count]) => `\`${code}\` ${count}`)
    .join(', ') || 'none'
}.
Given up or refused for good: ${
    counts(operations.flatMap(({ outcome }) => (outcome.acknowledged ? [] : [outcome.code])))
      .map(([code, count]) => `\`${code}\` ${count}`)
      .join(', ') || 'none'
  }.

## Faults

${table([
  ['kind', 'count', 'in force, median', 'longest'],
  ...kinds.map(([kind, count]) => {
    const lasted = faults
      .filter((fault) => fault.kind === kind)
      .map(({ from, to }) => to - from)
      .sort((a, b) => a - b);
    return [kind, `${count}`, seconds(lasted[Math.floor(lasted.length / 2)]), seconds(lasted.at(-1))];
  }),
])}

## Heals

${table([
  ['at', 'after', 'converged in'],
  ...heals.map(({ at, ms, wiped }) => [
    clock(at - startedAt),
    wiped === undefined ? 'faults' : `${wiped} lost its disk`,
    ms === undefined ? '**not within the bound**' : seconds(ms),
  ]),
])}

## Memory and disk

${memoryOf(outcome)}

${table([
  ['region', 'rows in the log', 'database'],
  ...outcome.sizes.map(({ region, rows, bytes }) => [region, rows.toLocaleString('en'), megabytes(bytes)]),
])}

## Where

${cpus()[0]?.model}, ${availableParallelism()} cores, ${(totalmem() / MB / 1024).toFixed(0)} GB; Node ${process.version}. Clients, links and all regions share this machine.
${findingsOf(outcome)}${
    troubles.length === 0
      ? ''
      : `
## What did not go as planned

${troubles.map(({ at, text }) => `- ${clock(at - startedAt)} ${text.split(/\n| Its log is /)[0]}`).join('\n')}
`
  }`;
}

function memoryOf({ memory }: Outcome): string {
  const growth = growthOf(memory);
  if (growth === undefined) return 'Not measured.';
  return table([
    ['resident memory of a server process', 'median', 'largest'],
    ['first third of the run', megabytes(growth.first.median), megabytes(growth.first.most)],
    ['last third', megabytes(growth.last.median), megabytes(growth.last.most)],
  ]);
}

function findingsOf({ verdict: { findings } }: Outcome): string {
  if (findings.length === 0) return '';
  const shown = findings.slice(0, SHOWN).map(({ rule, region, text }) => `- ${rule} in ${region}: ${text}`);
  const more = findings.length > SHOWN ? `\n- and ${findings.length - SHOWN} more` : '';
  return `\n## Findings\n\n${shown.join('\n')}${more}\n`;
}

const megabytes = (bytes: number): string => `${(bytes / MB).toFixed(0)} MB`;
const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
const seconds = (ms: number | undefined): string => (ms === undefined ? '-' : `${(ms / 1000).toFixed(1)} s`);

function counts(items: readonly string[]): [string, number][] {
  return [...Map.groupBy(items, (item) => item)]
    .map(([item, { length }]): [string, number] => [item, length])
    .sort(([, a], [, b]) => b - a);
}

function table([head, ...rows]: readonly (readonly string[])[]): string {
  return [line(head!), line(head!.map(() => '---')), ...rows.map(line)].join('\n');
}
