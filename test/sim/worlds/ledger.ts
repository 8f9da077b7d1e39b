import {
  aboutScope,
  canvasesScope,
  channelScope,
  commandId,
  directChannel,
  memberScope,
  messageScope,
  type Ack,
  type Command,
  type Token,
} from '@causeway/protocol';
import { countOrder, orderOf } from '@causeway/replica';
import type { Witness } from './witness.ts';

/** A command that a client made, and what became of it. */
export type Sent = {
  id: string;
  command: Command;
  acks: { region: string; level: Ack['level'] }[];
  /** Acknowledged by a region whose disk was lost before any other region had it: may be missing. */
  excused: boolean;
};

/** An update of a canvas that lacked nothing where it was sent. */
export type Typed = { document: string; client: number; clock: number; region: string; excused: boolean };

/** The cell that a command sets, with its `v`; of the cells of a direct channel the one that says who is in it. */
export function cellOf({ id, command }: Sent): { scope: string; key: string; v: string } | undefined {
  if (command.kind === 'direct') {
    const scope = channelScope(command.workspace, directChannel(command.workspace, command.members));
    return { scope, key: 'members', v: countOrder(1) };
  }
  const place = placeOf(id, command);
  if (place === undefined || !('v' in command)) return undefined;
  return { ...place, v: orderOf(command.v, id) };
}

function placeOf(id: string, command: Command): { scope: string; key: string } | undefined {
  const { workspace, member } = command;
  const mine = memberScope(workspace, member);
  switch (command.kind) {
    case 'react':
      return {
        scope: messageScope(workspace, command.channel, command.message),
        key: `${command.emoji}|${member}`,
      };
    case 'topic':
    case 'purpose':
      return { scope: channelScope(workspace, command.channel), key: command.kind };
    case 'pin':
      return { scope: channelScope(workspace, command.channel), key: `pin|${command.message}` };
    case 'canvas':
      return { scope: canvasesScope(workspace), key: `canvas|${id}` };
    case 'join':
      return { scope: mine, key: `joined|${command.channel}` };
    case 'mute':
      return { scope: mine, key: `muted|${command.channel}` };
    case 'star':
      return { scope: mine, key: `starred|${command.channel}` };
    case 'follow':
      return { scope: mine, key: `follow|${command.channel}|${command.message}` };
    case 'unread':
      return { scope: mine, key: `unread|${command.channel}` };
    case 'draft':
      return { scope: mine, key: `draft|${command.channel}` };
    case 'availability':
      return { scope: mine, key: 'availability' };
    case 'schedule':
      return { scope: mine, key: `scheduled|${commandId(command.post)}` };
    case 'unschedule':
      return { scope: mine, key: `scheduled|${command.post}` };
    case 'retitle':
      return { scope: aboutScope(workspace, command.canvas), key: 'title' };
    case 'share':
      return { scope: aboutScope(workspace, command.canvas), key: `right|${command.to}` };
    case 'version':
      return { scope: aboutScope(workspace, command.canvas), key: `version|${id}` };
    default:
      return undefined;
  }
}

/** What all clients of a world know: only what was acknowledged counts. */
export class Ledger {
  readonly sent = new Map<string, Sent>();
  readonly posts: Sent[] = [];
  readonly typed: Typed[] = [];
  /** Acknowledged posts with their tokens. */
  readonly tokens: { id: string; channel: string; token: Token }[] = [];

  add(command: Command): Sent {
    const id = commandId(command);
    let sent = this.sent.get(id);
    if (sent === undefined) {
      sent = { id, command, acks: [], excused: false };
      this.sent.set(id, sent);
      if (command.kind === 'post') this.posts.push(sent);
    }
    return sent;
  }

  acked(): Sent[] {
    return [...this.sent.values()].filter(({ acks }) => acks.length > 0);
  }

  /** A region's disk is lost: what it acknowledged alone and nobody else holds may be missing from now on. */
  diskLost(others: readonly Witness[]): number {
    let count = 0;
    for (const sent of this.acked()) {
      const promised = sent.acks.some(({ level }) => level === 'zone');
      if (sent.excused || promised || others.some((witness) => isDone(sent, witness))) continue;
      sent.excused = true;
      count++;
    }
    for (const typed of this.typed) {
      const { document, client, clock } = typed;
      if (others.some((witness) => witness.reaches(document, client, clock))) continue;
      typed.excused = true;
      count++;
    }

    return count;
  }
}

/** Has the command had its effect where this was witnessed, or one that outdoes it? */
export function isDone(sent: Sent, witness: Witness): boolean {
  const { id, command } = sent;
  switch (command.kind) {
    case 'post':
      return witness.posted.has(id) || witness.deleted.has(id);
    case 'edit':
      return (
        witness.edited.has(`${command.message}|${id}`) ||
        witness.deleted.has(command.message) ||
        witness.isPruned(command.message)
      );
    case 'delete':
      return witness.deleted.has(command.message);
    case 'read':
      return true;
    default:
      return witness.holds(cellOf(sent)!);
  }
}
