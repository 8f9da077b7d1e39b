import {
  encodeTalk,
  firstHead,
  readAnswer,
  readQuestion,
  type DirectoryRecord,
  type TalkQuestion,
} from '@causeway/protocol';
import type { Bus } from '../ports.ts';
import type { Directory, Founding, NamedHead, StrongStore } from './ports.ts';

type Parts = {
  region: string;
  regions: readonly string[];
  bus: Bus;
  store: StrongStore;
  foundings: readonly Founding[];
};

/**
 * The first region of the zone, by name, keeps the directory in its database; one of its processes
 * answers. A stand-in: while that region is away nothing is decided. Records that it lacks, of a new
 * workspace or after its disk was lost, it takes up again when every other region has said how far it
 * has applied; what was decided and not applied anywhere is lost with the disk.
 */
export class FirstRegionDirectory implements Directory {
  readonly #parts: Parts;
  readonly #keeper: string;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#keeper = parts.regions.toSorted()[0]!;
  }

  async read(workspaces: readonly string[]): Promise<ReadonlyMap<string, DirectoryRecord>> {
    const { region, bus } = this.#parts;
    if (region === this.#keeper) return this.#read(workspaces);
    const answer = readAnswer(
      'directory',
      await bus.ask(this.#keeper, 'directory', encodeTalk({ read: workspaces })),
    );
    if (!Array.isArray(answer)) throw new TypeError('the directory did not answer with records');
    return new Map(answer.map(({ workspace, record }) => [workspace, record]));
  }

  async compareAndSet(workspace: string, expected: DirectoryRecord, next: DirectoryRecord): Promise<boolean> {
    const { region, bus, store } = this.#parts;
    if (region === this.#keeper) return store.setDirectoryRecord(workspace, expected, next);
    const question = encodeTalk({ workspace, expected, next });
    return readAnswer('directory', await bus.ask(this.#keeper, 'directory', question)) === true;
  }

  /** What another region asks, when we are the one that keeps it. */
  async answer(bytes: Uint8Array): Promise<Uint8Array> {
    const { region, store } = this.#parts;
    if (region !== this.#keeper) throw new Error(`${region} keeps no directory, ${this.#keeper} does`);
    const question: TalkQuestion<'directory'> = readQuestion('directory', bytes);
    if (!('read' in question))
      return encodeTalk(await store.setDirectoryRecord(question.workspace, question.expected, question.next));
    const records = await this.#read(question.read);
    return encodeTalk([...records].map(([workspace, record]) => ({ workspace, record })));
  }

  async #read(workspaces: readonly string[]): Promise<ReadonlyMap<string, DirectoryRecord>> {
    const { store, foundings } = this.#parts;
    const records = await store.directoryRecords(workspaces);
    const lacking = foundings.filter(({ id }) => workspaces.includes(id) && !records.has(id));
    if (lacking.length === 0) return records;
    await this.#takeUp(lacking);
    return store.directoryRecords(workspaces);
  }

  /** Rejects with BusDown while a region does not say how far it is: it may be the one that went furthest. */
  async #takeUp(lacking: readonly Founding[]): Promise<void> {
    const { store } = this.#parts;
    const heads = await this.#heads();
    for (const { id, home } of lacking) {
      const head = heads
        .filter(({ workspace }) => workspace === id)
        .reduce(
          (best, { version, digest }) => (version > best.version ? { version, digest } : best),
          firstHead(id),
        );
      await store.setDirectoryRecord(id, undefined, { ...head, epoch: 1, home });
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
