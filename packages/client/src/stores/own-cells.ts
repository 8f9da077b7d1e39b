import { commandId, directChannel, type Cell, type Command } from '@causeway/protocol';
import { mergeCell, orderOf } from '@causeway/replica';
import type { Outbox } from '../outbox.ts';
import { Store, type Observable } from './store.ts';

/** The cells of a member by key. */
export type Own = ReadonlyMap<string, unknown>;

type Held = Omit<Cell, 'scope'>;

/**
 * What only this member sees of themselves, with what they are about to change on top: a command
 * carries the order of the cell that it becomes, so both merge by the law of cells.
 */
export class OwnCells implements Observable<Own> {
  readonly #held = new Map<string, Held>();
  readonly #outbox: Outbox;
  readonly #store = new Store<Own>(new Map());
  readonly #leave: () => void;

  constructor(outbox: Outbox) {
    this.#outbox = outbox;
    this.#leave = outbox.subscribe(() => this.#changed());
  }

  readonly getSnapshot = (): Own => this.#store.getSnapshot();
  readonly subscribe = (listener: () => void): (() => void) => this.#store.subscribe(listener);

  take(cells: readonly Held[]): void {
    for (const cell of cells) mergeCell(this.#held, cell);
    this.#changed();
  }

  /** A region has it, and its effect comes back later. */
  acknowledged(command: Command): void {
    const cell = cellOf(command);
    if (cell !== undefined) this.take([cell]);
  }

  /** As it is kept over reloads. */
  get held(): readonly Held[] {
    return [...this.#held.values()];
  }

  close(): void {
    this.#leave();
    this.#store.close();
  }

  #changed(): void {
    const merged = new Map(this.#held);
    for (const { command, state } of this.#outbox.getSnapshot()) {
      const cell = state === 'failed' ? undefined : cellOf(command);
      if (cell !== undefined) mergeCell(merged, cell);
    }
    const values = new Map([...merged].map(([key, { value }]) => [key, value]));
    if (!isSame(values, this.getSnapshot())) this.#store.set(values);
  }
}

const isSame = (a: Own, b: Own): boolean =>
  a.size === b.size &&
  [...a].every(([key, value]) => b.has(key) && JSON.stringify(b.get(key)) === JSON.stringify(value));

/** The cell of the member that a command becomes; undefined for one that becomes none. */
export function cellOf(command: Command): Held | undefined {
  const set = (key: string, value: unknown): Held | undefined =>
    'v' in command ? { key, v: orderOf(command.v, commandId(command)), value } : undefined;
  switch (command.kind) {
    case 'join':
      return set(`joined|${command.channel}`, command.on);
    case 'mute':
      return set(`muted|${command.channel}`, command.on);
    case 'star':
      return set(`starred|${command.channel}`, command.on);
    case 'follow':
      return set(`follow|${command.channel}|${command.message}`, command.on);
    case 'draft':
      return set(draftKey(command.channel, command.thread), command.body === '' ? null : command.body);
    case 'availability': {
      const { mode, until } = command;
      return set('availability', { mode, ...(until === undefined ? {} : { until }) });
    }
    case 'direct':
      return set(`direct|${directChannel(command.workspace, command.members)}`, [...command.members].sort());
    case 'schedule':
      return set(`scheduled|${commandId(command.post)}`, { post: command.post, at: command.at, region: '' });
    case 'unschedule':
      return set(`scheduled|${command.post}`, null);
    default:
      return undefined;
  }
}

export const draftKey = (channel: string, thread?: string): string =>
  `draft|${channel}${thread === undefined ? '' : `|${thread}`}`;
