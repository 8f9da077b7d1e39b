import {
  CausewayError,
  LIMITS,
  channelScope,
  segmentName,
  type CommandOf,
  type Token,
} from '@causeway/protocol';
import { sizeOf, type Position, type Segment } from '../segment.ts';
import type { Answer, Context } from './context.ts';
import { checkBody } from './post.ts';

/**
 * Edits a message: one key per edit, written into every segment that holds the message. Among
 * the edits the largest `v` counts, so a delayed copy never beats a newer one.
 */
export function edit(context: Context, id: string, command: CommandOf<'edit'>): Promise<Answer> {
  checkBody(command.body);
  return inEveryCopy(context, id, command, command.body, (segment) => {
    if (segment.isDeleted(command.message)) throw gone(command.message);
    const { posts, edits } = segment.copy(command.message);
    mustBeAuthor(command.member, posts[0]?.value.a);
    if (!edits.some((known) => known.command === id)) {
      context.clock.admit(command.v, Math.max(0, ...edits.map(({ value }) => value.v)));
      if (edits.length >= LIMITS.editsPerMessage)
        throw new CausewayError(
          'too-many-edits',
          `a message can be edited ${LIMITS.editsPerMessage} times; post a new one`,
        );
    }
    return segment.edit(command.message, id, { b: command.body, v: command.v });
  });
}

/** Deletes a message for good: `x` wins over every post and edit, now and later. */
export function remove(context: Context, id: string, command: CommandOf<'delete'>): Promise<Answer> {
  return inEveryCopy(context, id, command, '', (segment) => {
    if (!segment.isDeleted(command.message))
      mustBeAuthor(command.member, segment.copy(command.message).posts[0]?.value.a);
    return segment.delete(command.message);
  });
}

async function inEveryCopy(
  context: Context,
  id: string,
  command: CommandOf<'edit' | 'delete'>,
  text: string,
  write: (segment: Segment) => Position,
): Promise<Answer> {
  const channel = channelScope(command.workspace, command.channel);
  const held = await context.lookup.segmentsOf(channel, command.message);
  if (held.length === 0) throw notHereYet(command.message);
  if (command.kind === 'edit' && held.some(({ deleted }) => deleted)) throw gone(command.message);
  const state = await context.channels.state(channel);
  const size = sizeOf(text);
  const token: Token = await Promise.all(
    held.map(async ({ segment: number }) => {
      const name = segmentName(command.workspace, command.channel, number);
      const live = await context.documents.open(name);
      return context.queue.run<Token[number]>({
        key: name,
        live,
        size,
        author: (live) => {
          const position = write(live!.segment!);
          context.channels.countOperation(state, number, size);
          return { answer: { document: name, ...position } };
        },
      });
    }),
  );
  return { id, token };
}

function mustBeAuthor(member: string, author: string | undefined): void {
  if (author === undefined) throw notHereYet('it');
  if (author !== member) throw new CausewayError('forbidden', 'only its author may change a message');
}

export const gone = (message: string): CausewayError =>
  new CausewayError('gone', `message ${message} was deleted; there is nothing left to change`);

export const notHereYet = (message: string): CausewayError =>
  new CausewayError('not-here-yet', `message ${message} has not reached this region; try again in a moment`, {
    retryAfter: 1,
  });
