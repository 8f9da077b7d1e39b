import {
  CausewayError,
  HASH_ID,
  channelOfCommand,
  channelScope,
  memberScope,
  type Command,
} from '@causeway/protocol';
import type { Cells } from '../cells.ts';
import { directMembers } from '../commands/direct.ts';
import { noChannel } from './rules.ts';
import type { WorkspaceState } from './state.ts';
import type { Strong } from './strong.ts';

/** A channel as a member who may see it finds it. */
export type ReachedChannel = {
  id: string;
  /** Its id, where it has no name. */
  slug: string;
  kind: 'public' | 'private' | 'direct';
  archived: boolean;
  /** Of a private and of a direct one. */
  members?: readonly string[];
};

/** What would write into a channel; all other commands write what is the member's own. */
const WRITES: ReadonlySet<Command['kind']> = new Set<Command['kind']>([
  'post',
  'edit',
  'delete',
  'react',
  'pin',
  'topic',
  'purpose',
]);

/** What a member may reach in a workspace by what is in force in this region: the one place that all doors ask. */
export class Reach {
  readonly #strong: Strong;
  readonly #cells: Pick<Cells, 'open'>;

  constructor(strong: Strong, cells: Pick<Cells, 'open'>) {
    this.#strong = strong;
    this.#cells = cells;
  }

  /** The workspace, for one who is a member; rejects with `forbidden`. */
  async workspace(workspace: string, member: string): Promise<WorkspaceState> {
    const state = await this.#strong.state(workspace);
    if (!state.isMember(member)) throw new CausewayError('forbidden', 'you were removed from this workspace');
    return state;
  }

  /**
   * The channel of that id, or else of that slug. Rejects with `not-found` for what the member may not see,
   * so that names do not leak; with `not-here-yet` for an id that nobody here has heard of: other regions
   * make channels too.
   */
  async channel(workspace: string, member: string, slugOrId: string): Promise<ReachedChannel> {
    const state = await this.workspace(workspace, member);
    const channel = state.channel(slugOrId);
    if (channel !== undefined) {
      if (!state.sees(member, channel)) throw noChannel(slugOrId);
      const { id, slug, archived } = channel;
      return channel.private
        ? { id, slug, kind: 'private', archived, members: [...channel.members].sort() }
        : { id, slug, kind: 'public', archived };
    }
    if (!HASH_ID.test(slugOrId)) throw noChannel(slugOrId);
    const held = (await this.#cells.open(channelScope(workspace, slugOrId))).get('members');
    const members = held === undefined ? undefined : directMembers(workspace, slugOrId, held.value);
    if (members === undefined)
      throw new CausewayError('not-here-yet', 'there is no such channel in this region (yet)');
    if (!members.includes(member)) throw noChannel(slugOrId);
    return { id: slugOrId, slug: slugOrId, kind: 'direct', archived: false, members };
  }

  /**
   * The channels that a member may see, and whether he is in them: in a private or direct one always, in a
   * public one when he joined it. Nobody is in an archived one.
   */
  async channels(workspace: string, member: string): Promise<{ id: string; isJoined: boolean }[]> {
    const state = await this.workspace(workspace, member);
    const own = await this.#cells.open(memberScope(workspace, member));
    const named = state.channelsOf(member).map(({ id, private: isPrivate, archived }) => ({
      id,
      isJoined: !archived && (isPrivate || own.get(`joined|${id}`)?.value === true),
    }));
    const direct = [...own.values()].flatMap(({ key, value }) => {
      const id = key.startsWith('direct|') ? key.slice('direct|'.length) : undefined;
      const members = id === undefined ? undefined : directMembers(workspace, id, value);
      return members?.includes(member) === true ? [{ id: id!, isJoined: true }] : [];
    });
    return [...named, ...direct];
  }

  /**
   * Rejects unless the member of a command may have it carried out: as `channel` does, and with `archived`
   * for what would write into an archived one.
   */
  async command(command: Command): Promise<void> {
    const { workspace, member } = command;
    if (command.kind === 'schedule') return this.command(command.post);
    const asked = channelOfCommand(command);
    if (asked === undefined) return void (await this.workspace(workspace, member));
    const channel = await this.channel(workspace, member, asked);
    // Commands name channels by id alone: by slug, a rename would make a repeat another message.
    if (channel.id !== asked) throw noChannel(asked);
    if (channel.archived && WRITES.has(command.kind))
      throw new CausewayError('archived', 'the channel is archived; it can be read, and brought back');
  }

  /** Calls `changed` after each change of what the member may reach, until the returned function is called. */
  watch(workspace: string, member: string, changed: () => void): () => void {
    return this.#strong.watch(workspace, (applied) => {
      if (applied.some(({ touches }) => touches.has(member))) changed();
    });
  }
}
