import {
  CausewayError,
  LIMITS,
  channelScope,
  directChannel,
  isId,
  memberScope,
  type CommandOf,
} from '@causeway/protocol';
import { cellsEntry } from '../cells.ts';
import { countOrder } from '../hybrid-time.ts';
import type { Answer, Context } from './context.ts';
import { checkRoom, type Room } from './set.ts';

/** The same wherever and whenever the channel is opened, so that nothing has to be decided. */
const ONCE = countOrder(1);

/** Anybody writes here into the private scopes of others. */
const ROOM: Room = {
  prefix: 'direct|',
  ever: LIMITS.directPerMember,
  what: 'direct channels of one member',
};

/**
 * Opens the direct channel of some members, or finds it open. Its id is the hash of its members, so
 * the cell that lists them needs nobody's word: any region can write it, and check it.
 */
export async function direct(context: Context, id: string, command: CommandOf<'direct'>): Promise<Answer> {
  const { workspace, member } = command;
  const members = [...new Set(command.members)].sort();
  if (members.length < 2 || !members.includes(member))
    throw new CausewayError(
      'invalid-request',
      'a direct channel has its opener and at least one other member',
    );
  const channel = directChannel(workspace, members);
  const scope = channelScope(workspace, channel);
  const entries = [
    cellsEntry(scope, { key: 'members', v: ONCE, value: members }),
    ...members.map((each) =>
      cellsEntry(memberScope(workspace, each), { key: `direct|${channel}`, v: ONCE, value: members }),
    ),
  ];
  const held = await Promise.all(entries.map((entry) => context.cells.open(entry.scope)));
  return context.queue.run<Answer>({
    key: scope,
    size: 128 * entries.length,
    author: () => {
      context.clock.admit(command.v, 0);
      const seen = entries.map(({ scope }, at) => context.ahead.over(scope, held[at]!));
      const missing = entries.filter(({ cells }, at) => !seen[at]!.has(cells[0]!.key));
      // The private scopes of the others are not the sender's to wait for.
      const answer = { id, token: [{ scope, key: 'members', v: ONCE }] };
      if (missing.length === 0) return { answer };
      for (const [at, { cells }] of entries.entries()) if (at > 0) checkRoom(cells[0]!, seen[at]!, ROOM);
      const ends = missing.map(({ scope, cells }) => context.ahead.add(scope, cells));
      return { answer, cells: missing, over: () => ends.forEach((end) => end()) };
    },
  });
}

/**
 * The members of a direct channel as the value of its cell `members` says, in order; undefined when
 * they are not those that the channel's id is the hash of, whoever wrote that.
 */
export function directMembers(
  workspace: string,
  channel: string,
  value: unknown,
): readonly string[] | undefined {
  if (!Array.isArray(value) || value.length < 2) return undefined;
  const members = value as unknown[];
  if (!members.every((member): member is string => typeof member === 'string' && isId(member)))
    return undefined;
  return directChannel(workspace, members) === channel ? [...new Set(members)].sort() : undefined;
}
