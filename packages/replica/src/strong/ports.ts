import type { DirectoryRecord, Head, Version } from '@causeway/protocol';

/** What a workspace is before its first change: the manifest's word, version 0. */
export type Founding = {
  id: string;
  /** The region that proposes changes, unless the directory names another one. */
  home: string;
  admins: readonly string[];
  /** Public ones. */
  channels: readonly { id: string; slug: string }[];
};

/** A head of a workspace. */
export type NamedHead = Head & { workspace: string };

/** The strong log of a zone's workspaces as one region has it; part of its Store, with the same promises. */
export interface StrongStore {
  /** How far each workspace is applied here, ordered by workspace; those without a change are left out. */
  strongHeads(): Promise<NamedHead[]>;
  /** Applied versions after a number, lowest first. */
  strongVersions(workspace: string, after: number, limit: number): Promise<Version[]>;
  /**
   * Keeps a version that may be decided beside others of its number, until that number is applied. False,
   * and nothing is kept, when it is applied already. At most PREPARED of a workspace: the oldest leave.
   */
  prepare(version: Version): Promise<boolean>;
  /** A version of that digest, prepared or applied. */
  heldVersion(workspace: string, digest: string): Promise<Version | undefined>;
  /**
   * Applies the version that follows what is applied here, and forgets what was prepared for its number.
   * False, and nothing happens, when it does not follow: other number, or other `before`.
   */
  applyVersion(version: Version): Promise<boolean>;
  /** The applied version that holds the change of that command. */
  versionOf(workspace: string, command: string): Promise<number | undefined>;

  /** Records of the directory, in the region that keeps it. */
  directoryRecords(workspaces: readonly string[]): Promise<Map<string, DirectoryRecord>>;
  /** Puts `next` in the place of `expected` (undefined: of nothing); false, and nothing happens, when another one is there. */
  setDirectoryRecord(
    workspace: string,
    expected: DirectoryRecord | undefined,
    next: DirectoryRecord,
  ): Promise<boolean>;
}

/**
 * What decides which version of a workspace comes next (R7). A read is of the record as it was at some moment after
 * it was asked for, or of one that nobody who acts on it can get past. Both reject with BusDown while nobody can
 * say; a compare-and-set that rejected may have been taken, or be taken later.
 */
export interface Directory {
  /** Records as they are now; workspaces that it does not know are left out. */
  read(workspaces: readonly string[]): Promise<ReadonlyMap<string, DirectoryRecord>>;
  /** Puts `next` in the place of `expected` (undefined: of nothing); false when another record is there. */
  compareAndSet(
    workspace: string,
    expected: DirectoryRecord | undefined,
    next: DirectoryRecord,
  ): Promise<boolean>;
}

export const sameRecord = (a: DirectoryRecord, b: DirectoryRecord): boolean =>
  a.version === b.version && a.digest === b.digest && a.epoch === b.epoch && a.home === b.home;
