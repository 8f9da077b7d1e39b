import { commandId, type Command, type CommandOf } from '@causeway/protocol';
import { CHANNELS, MEMBERS, WORKSPACE } from './workspace.ts';
import type { Ledger } from './ledger.ts';
import type { World } from './world.ts';

type Made<K extends Command['kind']> = Omit<CommandOf<K>, 'kind'>;
/** What every command of a member has. */
type Frame = { workspace: string; member: string; nonce: string; v: number };

/** The canvases that are typed into; nobody is their author. */
const OPEN = ['plan', 'notes'];

/** A random command of the workspace beside what is said: pins, switches, drafts, direct channels, scheduled posts, canvases. */
export function workspaceCommand(
  world: World,
  ledger: Ledger,
  posted: CommandOf<'post'> & { id: string },
  frame: () => Frame,
): Command {
  const { random, time } = world;
  const on = random.chance(60);
  const channel = random.pick(CHANNELS);
  const number = random.below(1_000);
  const about = { ...frame(), channel: posted.channel, message: posted.id };
  const make: { [K in Command['kind']]?: () => Made<K> } = {
    pin: () => ({ ...about, on }),
    purpose: () => ({ ...frame(), channel, purpose: `purpose ${number}` }),
    join: () => ({ ...frame(), channel, on }),
    mute: () => ({ ...frame(), channel, on }),
    star: () => ({ ...frame(), channel, on }),
    follow: () => ({ ...about, on }),
    unread: () => (on ? about : { ...frame(), channel }),
    draft: () => ({ ...frame(), channel, body: on ? `draft ${number}` : '' }),
    availability: () => ({ ...frame(), mode: random.pick(['auto', 'away', 'dnd'] as const) }),
    direct: () => {
      const opener = frame();
      const others = MEMBERS.filter((member) => member !== opener.member);
      return { ...opener, members: [opener.member, ...(on ? others : [random.pick(others)])].sort() };
    },
    schedule: () => {
      const { v, ...author } = frame();
      const post: CommandOf<'post'> = { kind: 'post', ...author, channel, body: `later ${number}` };
      // Whoever sends it, it is that post.
      ledger.add(post);
      const at = time.now() + random.below(20_000);
      return { workspace: WORKSPACE, member: post.member, nonce: frame().nonce, v, post, at };
    },
    unschedule: () => {
      const scheduled = [...ledger.sent.values()].flatMap(({ command }) =>
        command.kind === 'schedule' ? [command.post] : [],
      );
      const post = scheduled.length === 0 ? posted : random.pick(scheduled);
      return { ...frame(), member: post.member, post: 'id' in post ? String(post.id) : commandId(post) };
    },
    retitle: () => ({ ...frame(), canvas: random.pick(OPEN), title: `title ${number}` }),
    share: () => {
      const canvases = [...ledger.sent.values()].filter(({ command }) => command.kind === 'canvas');
      const right = random.pick(['edit', 'view', 'none'] as const);
      const to = random.pick(['*', ...MEMBERS]);
      if (canvases.length === 0) return { ...frame(), canvas: OPEN[0]!, to, right };
      const { id, command } = random.pick(canvases);
      return { ...frame(), member: command.member, canvas: id, to, right };
    },
    version: () => ({ ...frame(), canvas: random.pick(OPEN), title: `kept ${number}` }),
  };
  const kinds = Object.keys(make) as Command['kind'][];
  const kind = random.pick(kinds);
  return { kind, ...make[kind]!() } as Command;
}
