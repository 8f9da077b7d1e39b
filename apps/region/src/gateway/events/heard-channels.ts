import { CausewayError, channelScope, memberScope } from '@causeway/protocol';
import type { Change } from '@causeway/replica';
import type { Access, Opened } from '../../access.ts';

/** Channels that one connection hears of. */
const CHANNELS = 5_000;

type Parts = { opened: Opened; member: string; access: Access };

/**
 * The channels whose events one connection gets: those that its member has joined, direct ones, and
 * those that it named; all of them only while the member may see them.
 */
export class HeardChannels {
  readonly #parts: Parts;
  readonly #heard = new Set<string>();
  /** Direct ones of which this region does not know the members yet. */
  readonly #awaited = new Set<string>();
  /** How often what the member may see has changed. */
  #looks = 0;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  has(channel: string): boolean {
    return this.#heard.has(channel);
  }

  list(): string[] {
    return [...this.#heard];
  }

  /** Those of the member, and those that are named by id or slug; rejects with `not-found` for one that the member cannot see. */
  async begin(named: readonly string[]): Promise<void> {
    const { opened, member } = this.#parts;
    const mine = await opened.replica.loadCells([memberScope(opened.workspace.id, member)]);
    for (const cell of mine) await this.#follow(cell);
    await this.add(named);
  }

  async add(named: readonly string[]): Promise<void> {
    let ids: string[];
    let looks: number;
    do {
      looks = this.#looks;
      ids = [];
      for (const name of named) ids.push(await this.#idOf(name));
      // What was allowed before a change says nothing after it.
    } while (looks !== this.#looks);
    for (const id of ids) this.#put(id);
  }

  async remove(named: readonly string[]): Promise<void> {
    for (const name of named) this.#heard.delete(await this.#idOf(name));
  }

  /** Does the member join or leave a channel in this change? Then `follow` has to have resolved before the next one. */
  isMine(change: Change): boolean {
    if (change.kind !== 'cell') return false;
    const { opened, member } = this.#parts;
    const { scope, key } = change.cell;
    if (scope === memberScope(opened.workspace.id, member)) return channelIn(key) !== undefined;
    return key === 'members' && this.#awaitedIn(scope) !== undefined;
  }

  async follow(change: Change): Promise<void> {
    if (change.kind !== 'cell') return;
    const awaited = this.#awaitedIn(change.cell.scope);
    if (awaited === undefined) await this.#follow(change.cell);
    else if (await this.#mayHear(awaited)) this.#put(awaited);
  }

  #awaitedIn(scope: string): string | undefined {
    const id = scope.slice(scope.lastIndexOf('/') + 1);
    const isIt = this.#awaited.has(id) && scope === channelScope(this.#parts.opened.workspace.id, id);
    return isIt ? id : undefined;
  }

  /** What the member may see has changed: forgets what is not allowed any more. */
  async look(): Promise<void> {
    this.#looks++;
    for (const id of this.#heard) if (!(await this.#mayHear(id))) this.#heard.delete(id);
  }

  async #follow({ key, value }: { key: string; value: unknown }): Promise<void> {
    const channel = channelIn(key);
    if (channel === undefined) return;
    const isOn = value !== false && value !== null;
    if (!isOn) this.#heard.delete(channel);
    else if (await this.#mayHear(channel)) this.#put(channel);
  }

  #put(channel: string): void {
    if (this.#heard.size >= CHANNELS && !this.#heard.has(channel))
      throw new CausewayError('rate-limited', `one connection hears of at most ${CHANNELS} channels`);
    this.#heard.add(channel);
  }

  async #idOf(slugOrId: string): Promise<string> {
    const { access, opened, member } = this.#parts;
    return (await access.channel(opened, member, slugOrId)).id;
  }

  async #mayHear(channel: string): Promise<boolean> {
    this.#awaited.delete(channel);
    try {
      return (await this.#idOf(channel)) === channel;
    } catch (error) {
      if (!(error instanceof CausewayError)) throw error;
      if (error.code === 'not-here-yet' && this.#awaited.size < CHANNELS) this.#awaited.add(channel);
      else if (error.code !== 'not-found' && error.code !== 'not-here-yet') throw error;
      return false;
    }
  }
}

/** The channel that a private cell says is the member's. */
const channelIn = (key: string): string | undefined => {
  const [what, channel, ...rest] = key.split('|');
  return (what === 'joined' || what === 'direct') && rest.length === 0 ? channel : undefined;
};
