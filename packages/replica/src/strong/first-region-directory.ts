import {
  encodeTalk,
  readAnswer,
  readQuestion,
  type DirectoryRecord,
  type TalkQuestion,
} from '@causeway/protocol';
import type { Bus } from '../ports.ts';
import type { Directory, StrongStore } from './ports.ts';
import { TakingUp, type TakingUpParts } from './taking-up.ts';

type Parts = TakingUpParts & { bus: Bus; store: StrongStore };

/**
 * The first region of the zone, by name, keeps the directory in its database; one of its processes
 * answers. A stand-in for worlds of one broker: while that region is away nothing is decided.
 */
export class FirstRegionDirectory implements Directory {
  readonly #parts: Parts;
  readonly #keeper: string;
  readonly #kept: Directory;

  constructor(parts: Parts) {
    const { store } = parts;
    this.#parts = parts;
    this.#keeper = parts.regions.toSorted()[0]!;
    const kept: Directory = {
      read: (workspaces) => store.directoryRecords(workspaces),
      compareAndSet: (workspace, expected, next) => store.setDirectoryRecord(workspace, expected, next),
    };
    this.#kept = new TakingUp(kept, parts);
  }

  async read(workspaces: readonly string[]): Promise<ReadonlyMap<string, DirectoryRecord>> {
    if (this.#isHere) return this.#kept.read(workspaces);
    const answer = readAnswer('directory', await this.#ask(encodeTalk({ read: workspaces })));
    if (!Array.isArray(answer)) throw new TypeError('the directory did not answer with records');
    return new Map(answer.map(({ workspace, record }) => [workspace, record]));
  }

  async compareAndSet(
    workspace: string,
    expected: DirectoryRecord | undefined,
    next: DirectoryRecord,
  ): Promise<boolean> {
    if (this.#isHere) return this.#kept.compareAndSet(workspace, expected, next);
    // What is not there is taken up by who keeps it.
    if (expected === undefined) return false;
    return readAnswer('directory', await this.#ask(encodeTalk({ workspace, expected, next }))) === true;
  }

  /** What another region asks, when we are the one that keeps it. */
  async answer(bytes: Uint8Array): Promise<Uint8Array> {
    if (!this.#isHere) throw new Error(`${this.#parts.region} keeps no directory, ${this.#keeper} does`);
    const question: TalkQuestion<'directory'> = readQuestion('directory', bytes);
    if (!('read' in question)) {
      const { workspace, expected, next } = question;
      return encodeTalk(await this.#kept.compareAndSet(workspace, expected, next));
    }
    const records = await this.#kept.read(question.read);
    return encodeTalk([...records].map(([workspace, record]) => ({ workspace, record })));
  }

  get #isHere(): boolean {
    return this.#parts.region === this.#keeper;
  }

  #ask(question: Uint8Array): Promise<Uint8Array> {
    return this.#parts.bus.ask(this.#keeper, 'directory', question);
  }
}
