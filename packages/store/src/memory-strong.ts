import { compareText, digestOf, type DirectoryRecord, type Version } from '@causeway/protocol';
import { sameRecord, type NamedHead } from '@causeway/replica';
import { PREPARED } from './prepared-bounds.ts';

/** Strong logs, what was prepared for them, and the records of a directory. */
export class MemoryStrong {
  /** By workspace, version 1 first. */
  readonly #applied = new Map<string, Version[]>();
  /** By workspace and digest, oldest first. */
  readonly #prepared = new Map<string, Map<string, Version>>();
  readonly #records = new Map<string, DirectoryRecord>();

  heads(): NamedHead[] {
    return [...this.#applied]
      .map(([workspace, versions]) => {
        const last = versions.at(-1)!;
        return { workspace, version: last.version, digest: digestOf(last) };
      })
      .sort((a, b) => compareText(a.workspace, b.workspace));
  }

  versions(workspace: string, after: number, limit: number): Version[] {
    return structuredClone((this.#applied.get(workspace) ?? []).slice(after, after + limit));
  }

  prepare(version: Version): boolean {
    const { workspace } = version;
    if (version.version <= (this.#applied.get(workspace)?.length ?? 0)) return false;
    const kept = this.#prepared.get(workspace) ?? new Map<string, Version>();
    this.#prepared.set(workspace, kept);
    const digest = digestOf(version);
    if (kept.has(digest)) return true;
    if (kept.size >= PREPARED) kept.delete(kept.keys().next().value!);
    kept.set(digest, structuredClone(version));
    return true;
  }

  held(workspace: string, digest: string): Version | undefined {
    const held =
      this.#prepared.get(workspace)?.get(digest) ??
      this.#applied.get(workspace)?.find((version) => digestOf(version) === digest);
    return structuredClone(held);
  }

  apply(version: Version): boolean {
    const { workspace } = version;
    const applied = this.#applied.get(workspace) ?? [];
    const last = applied.at(-1);
    if (applied.length !== version.version - 1) return false;
    if (last !== undefined && digestOf(last) !== version.before) return false;
    this.#applied.set(workspace, [...applied, structuredClone(version)]);
    const prepared = this.#prepared.get(workspace);
    for (const [digest, other] of prepared ?? [])
      if (other.version <= version.version) prepared!.delete(digest);
    return true;
  }

  versionOf(workspace: string, command: string): number | undefined {
    const holds = ({ changes }: Version): boolean => changes.some(({ id }) => id === command);
    return this.#applied.get(workspace)?.find(holds)?.version;
  }

  records(workspaces: readonly string[]): Map<string, DirectoryRecord> {
    return new Map(
      workspaces.toSorted(compareText).flatMap((workspace): [string, DirectoryRecord][] => {
        const record = this.#records.get(workspace);
        return record === undefined ? [] : [[workspace, { ...record }]];
      }),
    );
  }

  setRecord(workspace: string, expected: DirectoryRecord | undefined, next: DirectoryRecord): boolean {
    const held = this.#records.get(workspace);
    const isExpected =
      held === undefined || expected === undefined ? held === expected : sameRecord(held, expected);
    if (isExpected) this.#records.set(workspace, { ...next });
    return isExpected;
  }
}
