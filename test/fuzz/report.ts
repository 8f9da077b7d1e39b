import type { FuzzOutcome } from './run.ts';

/** How much more a server may hold in the last third of a run than in the first, bytes. */
const FLAT_BYTES = 64 * 2 ** 20;

/** What did not hold, in words; empty when all did. */
export function brokenIn({ tally, lives, memory, honest }: FuzzOutcome): string[] {
  const grown = memory === undefined ? 0 : memory.last.median - memory.first.median;
  return [
    ...(lives ? [] : ['the process did not live through it']),
    ...(tally.hung > 0 ? [`${tally.hung} sockets were neither answered nor closed`] : []),
    ...(memory === undefined ? ['memory was not measured'] : []),
    ...(grown > FLAT_BYTES ? [`memory grew by ${mib(grown)}`] : []),
    ...(honest.failures.length > 0
      ? [`honest clients noticed: ${honest.failures.slice(0, 3).join('; ')}`]
      : []),
  ];
}

/** The outcome as Markdown. */
export function reportOf(outcome: FuzzOutcome, { seed, machine }: { seed: number; machine: string }): string {
  const { tally, seconds, lives, memory, honest } = outcome;
  const broken = brokenIn(outcome);
  const rows = tally
    .rows()
    .map(({ door, frames, answers, ends }) => `| ${door} | ${frames} | ${answers} | ${ends} |`);
  const people = [...honest.done].map(
    ([name, { count, longestMs }]) => `| ${name} | ${count} | ${Math.round(longestMs)} ms |`,
  );
  return `${machine}. Seed ${seed}.

${tally.frames.toLocaleString('en')} frames in ${Math.round(seconds)} s (${Math.round(tally.frames / seconds)}/s). The process ${lives ? 'lives' : 'did not live'}. Its memory: ${
    memory === undefined
      ? 'not measured'
      : `${mib(memory.first.median)} in the first third, ${mib(memory.last.median)} in the last (medians), at most ${mib(Math.max(memory.first.most, memory.last.most))}`
  }. Honest clients noticed ${honest.failures.length === 0 ? 'nothing' : honest.failures.length}.

**${broken.length === 0 ? 'Everything held.' : broken.join('; ')}**

| door | frames | answers | how sockets and requests ended |
|---|---|---|---|
${rows.join('\n')}

| beside them | things done | the longest took |
|---|---|---|
${people.join('\n')}
`;
}

const mib = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`;
