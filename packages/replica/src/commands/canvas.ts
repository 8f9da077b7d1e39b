import {
  CausewayError,
  LIMITS,
  aboutScope,
  canvasesScope,
  type CommandOf,
  type Right,
} from '@causeway/protocol';
import { mayNot } from '../canvas-rights.ts';
import { orderOf } from '../hybrid-time.ts';
import type { Answer, Context } from './context.ts';
import { checkRoom, checkTitle, set } from './set.ts';

/** Adds a canvas to the workspace's list; its id is the id of the command. */
export function canvas(context: Context, id: string, command: CommandOf<'canvas'>): Promise<Answer> {
  const { workspace, member, v } = command;
  const title = checkTitle(command.title, 'a title');
  const value = { title, author: member };
  const room = { prefix: 'canvas|', ever: LIMITS.canvasesPerWorkspace, what: 'canvases in a workspace' };
  const change = { key: `canvas|${id}`, v: orderOf(v, id), value };
  return set(context, id, canvasesScope(workspace), v, [change], (each, seen) => checkRoom(each, seen, room));
}

/** Gives a canvas another title; who may edit it may do so. */
export async function retitle(context: Context, id: string, command: CommandOf<'retitle'>): Promise<Answer> {
  const { workspace, canvas, member, v } = command;
  const text = checkTitle(command.title, 'a title');
  const may = await context.rights.of(workspace, canvas, member);
  if (may !== 'edit') throw mayNot('change it');
  const change = { key: 'title', v: orderOf(v, id), value: { text, by: member } };
  return set(context, id, aboutScope(workspace, canvas), v, [change]);
}

/** Says what a member, or everybody who is not named, may do with a canvas; its author alone may say so. */
export async function share(context: Context, id: string, command: CommandOf<'share'>): Promise<Answer> {
  const { workspace, canvas, member, to, right, v } = command;
  const author = await context.rights.author(workspace, canvas);
  if (author === undefined)
    throw new CausewayError('not-here-yet', `canvas ${canvas} is not in the list of this region (yet)`, {
      retryAfter: 1,
    });
  if (author !== member) throw new CausewayError('forbidden', 'only its author shares a canvas');
  const room = { prefix: 'right|', inUse: LIMITS.rightsPerCanvas, what: 'rights for one canvas' };
  const change = { key: `right|${to}`, v: orderOf(v, id), value: right satisfies Right };
  return set(context, id, aboutScope(workspace, canvas), v, [change], (each, seen) =>
    checkRoom(each, seen, room),
  );
}
