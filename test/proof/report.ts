import { mkdir, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Finding } from './finding.ts';

/** Where the report of a proof goes that was made today; `letter`: which proof. */
export const reportFile = (letter: string): string =>
  fileURLToPath(
    new URL(`../../docs/proof/${new Date().toISOString().slice(0, 10)}-${letter}.md`, import.meta.url),
  );

/**
 * Prints a report, and keeps it in `file`; of a part of the figures only where a file was asked for. Says by the
 * exit code whether everything holds.
 */
export async function report(
  letter: string,
  findings: readonly Finding[],
  { share, file }: { share: number; file: string | undefined },
): Promise<void> {
  const text = textOf(letter.toUpperCase(), findings, share);
  console.log(text);
  if (share === 1 || file !== undefined) {
    const to = file ?? reportFile(letter);
    await mkdir(dirname(to), { recursive: true });
    await writeFile(to, text);
  }
  if (findings.some(({ holds }) => !holds)) process.exitCode = 1;
}

function textOf(title: string, findings: readonly Finding[], share: number): string {
  const memory = Math.round(totalmem() / 1024 ** 3);
  const machine = `${cpus()[0]?.model}, ${availableParallelism()} cores, ${memory} GiB, Node ${process.version}`;
  const rows = findings.map(
    ({ what, value, holds }) => `| ${what} | ${value} | ${holds ? 'holds' : '**does not hold**'} |`,
  );
  return `# Proof ${title}, ${new Date().toISOString().slice(0, 10)}

${machine}. ${share === 1 ? 'Whole.' : `A ${share}th of the figures.`}

| what | came out | |
|---|---|---|
${rows.join('\n')}
`;
}
