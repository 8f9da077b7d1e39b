import { compareText, digestOf, type DirectoryRecord, type Version } from '@causeway/protocol';
import { sameRecord, type NamedHead } from '@causeway/replica';
import { entryOf } from './batch.ts';
import { PREPARED } from './prepared-bounds.ts';

type Log = {
  /** In force, version 1 first; with their digests, since hashing is what costs here. */
  versions: Version[];
  digests: string[];
  /** Command → version. */
  commands: Map<string, number>;
  /** By digest, oldest first. */
  prepared: Map<string, Version>;
};

/** Strong logs, what was prepared for them, and the records of a directory. */
export class MemoryStrong {
  readonly #logs = new Map<string, Log>();
  readonly #records = new Map<string, DirectoryRecord>();

  heads(): NamedHead[] {
    return [...this.#logs]
      .filter(([, { versions }]) => versions.length > 0)
      .map(([workspace, { versions, digests }]) => ({
        workspace,
        version: versions.length,
        digest: digests.at(-1)!,
      }))
      .sort((a, b) => compareText(a.workspace, b.workspace));
  }

  versions(workspace: string, after: number, limit: number): Version[] {
    return structuredClone((this.#logs.get(workspace)?.versions ?? []).slice(after, after + limit));
  }

  prepare(version: Version): boolean {
    const { versions, prepared } = this.#log(version.workspace);
    if (version.version <= versions.length) return false;
    const digest = digestOf(version);
    if (prepared.has(digest)) return true;
    if (prepared.size >= PREPARED) prepared.delete(prepared.keys().next().value!);
    prepared.set(digest, structuredClone(version));
    return true;
  }

  held(workspace: string, digest: string): Version | undefined {
    const { versions, digests, prepared } = this.#log(workspace);
    return structuredClone(prepared.get(digest) ?? versions[digests.indexOf(digest)]);
  }

  apply(version: Version): boolean {
    const { versions, digests, commands, prepared } = this.#log(version.workspace);
    if (versions.length !== version.version - 1) return false;
    if (versions.length > 0 && digests.at(-1) !== version.before) return false;
    versions.push(structuredClone(version));
    digests.push(digestOf(version));
    for (const { id } of version.changes) if (!commands.has(id)) commands.set(id, version.version);
    for (const [digest, other] of prepared) if (other.version <= version.version) prepared.delete(digest);
    return true;
  }

  versionOf(workspace: string, command: string): number | undefined {
    return this.#logs.get(workspace)?.commands.get(command);
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

  #log(workspace: string): Log {
    return entryOf(this.#logs, workspace, () => ({
      versions: [],
      digests: [],
      commands: new Map(),
      prepared: new Map(),
    }));
  }
}
