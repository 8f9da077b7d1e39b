import { encodeTalk, firstHead, readAnswer, type DirectoryRecord } from '@causeway/protocol';
import type { Bus } from '../ports.ts';
import type { Directory, Founding, NamedHead, StrongStore } from './ports.ts';

export type TakingUpParts = {
  region: string;
  regions: readonly string[];
  bus: Bus;
  store: Pick<StrongStore, 'strongHeads'>;
  foundings: readonly Founding[];
};

/**
 * A directory that knows every workspace of the manifest. Records that it lacks, of a new workspace or after the
 * loss of all its disks, are taken up when every region of the zone has said how far it has applied; what was
 * decided and not applied anywhere is lost with those disks.
 */
export class TakingUp implements Directory {
  readonly #directory: Directory;
  readonly #parts: TakingUpParts;
  /** One at a time: a region that is away takes seconds to show. */
  #taking: Promise<void> | undefined;

  constructor(directory: Directory, parts: TakingUpParts) {
    this.#directory = directory;
    this.#parts = parts;
  }

  async read(workspaces: readonly string[]): Promise<ReadonlyMap<string, DirectoryRecord>> {
    const records = await this.#directory.read(workspaces);
    const lacking = this.#parts.foundings.filter(({ id }) => workspaces.includes(id) && !records.has(id));
    if (lacking.length === 0) return records;
    this.#taking ??= this.#takeUp(lacking).finally(() => {
      this.#taking = undefined;
    });
    // A region that is away hides none of those that are there; who asks for all of them looks again.
    if (records.size > 0) {
      this.#taking.catch(() => undefined);
      return records;
    }
    await this.#taking;
    return this.#directory.read(workspaces);
  }

  compareAndSet(
    workspace: string,
    expected: DirectoryRecord | undefined,
    next: DirectoryRecord,
  ): Promise<boolean> {
    return this.#directory.compareAndSet(workspace, expected, next);
  }

  /** Rejects with BusDown while a region does not say how far it is: it may be the one that went furthest. */
  async #takeUp(lacking: readonly Founding[]): Promise<void> {
    const heads = await this.#heads();
    for (const { id, home } of lacking) {
      const head = heads
        .filter(({ workspace }) => workspace === id)
        .reduce(
          (best, { version, digest }) => (version > best.version ? { version, digest } : best),
          firstHead(id),
        );
      await this.#directory.compareAndSet(id, undefined, { ...head, epoch: 1, home });
    }
  }

  async #heads(): Promise<NamedHead[]> {
    const { region, regions, bus, store } = this.#parts;
    const others = regions
      .filter((peer) => peer !== region)
      .map(async (peer) => readAnswer('heads', await bus.ask(peer, 'heads', encodeTalk({}))));
    return (await Promise.all([store.strongHeads(), ...others])).flat();
  }
}
