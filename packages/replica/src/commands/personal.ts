import { CausewayError, LIMITS, memberScope, type Command, type CommandOf } from '@causeway/protocol';
import { orderOf } from '../hybrid-time.ts';
import type { Answer, Context } from './context.ts';
import { mustBeThere, timeOf } from './on-message.ts';
import { checkBody } from './post.ts';
import { checkRoom, set, type Change, type Room, type Seen } from './set.ts';

type Switch = CommandOf<'join' | 'mute' | 'star'>;
type Personal = Switch | CommandOf<'follow' | 'unread' | 'draft' | 'availability'>;

/** What a command writes into the private scope of its member, after looking whether it can. */
type Rule<C> = {
  key(command: C): string;
  value(command: C, context: Context): unknown;
  /** How many of these a member may have. */
  room?: Room;
  check?(change: Change, seen: Seen): void;
};

const EVER = LIMITS.cellsPerMember;

const switched = (key: string, what: string): Rule<Switch> => ({
  key: ({ channel }) => `${key}|${channel}`,
  value: ({ on }) => on,
  room: { prefix: `${key}|`, ever: EVER, what },
});

const RULES: { [K in Personal['kind']]: Rule<CommandOf<K>> } = {
  join: switched('joined', 'channels that you joined'),
  mute: switched('muted', 'muted channels'),
  star: switched('starred', 'starred channels'),
  follow: {
    key: ({ channel, message }) => `follow|${channel}|${message}`,
    value: async (command, context) => {
      // Who has had enough of a thread may say so when its root is gone.
      await mustBeThere(context, command, command.on ? undefined : 'or was');
      return command.on;
    },
    room: { prefix: 'follow|', ever: EVER, what: 'followed threads' },
  },
  unread: {
    key: ({ channel }) => `unread|${channel}`,
    value: async ({ message, ...command }, context) =>
      message === undefined ? null : { message, t: await timeOf(context, { ...command, message }) },
    room: { prefix: 'unread|', ever: EVER, what: 'channels marked as unread' },
  },
  draft: {
    key: ({ channel, thread }) => `draft|${channel}${thread === undefined ? '' : `|${thread}`}`,
    value: ({ body }) => {
      checkBody(body);
      return body === '' ? null : body;
    },
    room: { prefix: 'draft|', inUse: LIMITS.draftsPerMember, ever: EVER, what: 'drafts' },
    check: checkDraftChars,
  },
  availability: {
    key: () => 'availability',
    value: ({ mode, until }) => ({ mode, ...(until === undefined ? {} : { until }) }),
  },
};

export const isPersonal = (command: Command): command is Personal => command.kind in RULES;

/** Changes one cell that only its member sees: the larger `v` wins. */
export async function personal(context: Context, id: string, command: Personal): Promise<Answer> {
  const rule = RULES[command.kind] as Rule<Personal>;
  const { workspace, member, v } = command;
  const change = { key: rule.key(command), v: orderOf(v, id), value: await rule.value(command, context) };
  return set(context, id, memberScope(workspace, member), v, [change], (each, seen) => {
    if (rule.room !== undefined) checkRoom(each, seen, rule.room);
    rule.check?.(each, seen);
  });
}

function checkDraftChars({ key, value }: Change, seen: Seen): void {
  if (typeof value !== 'string') return;
  let chars = value.length;
  for (const [other, cell] of seen)
    if (other !== key && other.startsWith('draft|') && typeof cell.value === 'string')
      chars += cell.value.length;
  if (chars > LIMITS.draftChars)
    throw new CausewayError(
      'too-many',
      `all drafts together hold at most ${LIMITS.draftChars} characters; clear another one first`,
    );
}
