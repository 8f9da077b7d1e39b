import type { Version } from '@causeway/protocol';

/** One thing that was asked of the strong half of a workspace and answered, in simulated milliseconds; a repeat is asked when the first one was. */
export type Answered = { where: string; askedAt: number; answeredAt: number; version: number } & (
  | { kind: 'change'; id: string }
  | { kind: 'confirmed' | 'local'; digest: string }
);

/**
 * Does one order explain what was answered, in which each change and each confirmed read takes effect between its
 * question and its answer? Since versions are numbered, that order can only be theirs; local reads may be late, but
 * each place only goes forward. Returns the first thing that no order explains.
 *
 * After Herlihy and Wing, Linearizability (1990): for one object whose states are numbered it comes down to this.
 */
export function unexplained(
  log: readonly Version[],
  answered: readonly Answered[],
  digestAt: (version: number) => string,
): string | undefined {
  const versionOf = new Map(log.flatMap(({ version, changes }) => changes.map(({ id }) => [id, version])));
  for (const each of answered) {
    if (each.kind === 'change' && versionOf.get(each.id) !== each.version)
      return `a change was answered with ${each.version} in ${each.where} and stands in ${versionOf.get(each.id)}`;
    if (each.kind !== 'change' && digestAt(each.version) !== each.digest)
      return `${each.kind} read in ${each.where} showed another version ${each.version} than the log has`;
  }
  const strict = answered.filter(({ kind }) => kind !== 'local');
  for (const later of strict)
    for (const earlier of strict)
      if (earlier.answeredAt < later.askedAt && earlier.version > later.version)
        return `${later.kind} in ${later.where}, asked at ${later.askedAt}, is of version ${later.version}; ${earlier.kind} in ${earlier.where} was answered with ${earlier.version} at ${earlier.answeredAt}`;
  return backwards(answered.filter(({ kind }) => kind === 'local'));
}

/** What one place shows without asking the directory is a growing prefix. */
function backwards(reads: readonly Answered[]): string | undefined {
  for (const [where, here] of Map.groupBy(reads, (read) => read.where)) {
    const inOrder = here.toSorted((a, b) => a.answeredAt - b.answeredAt);
    const at = inOrder.findIndex((read, at) => at > 0 && read.version < inOrder[at - 1]!.version);
    if (at > 0)
      return `${where} went back from version ${inOrder[at - 1]!.version} to ${inOrder[at]!.version}`;
  }
  return undefined;
}
