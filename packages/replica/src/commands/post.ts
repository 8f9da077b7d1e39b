import { CausewayError, LIMITS, channelScope, segmentName, type CommandOf } from '@causeway/protocol';
import { timeOfPost } from '../hybrid-time.ts';
import { sizeOf } from '../segment.ts';
import type { Answer, Context } from './context.ts';

/**
 * Posts a message, or finds it posted. The id is looked up first: a retry belongs where the
 * message is, in whatever segment that was. A copy that slips through (written by another region
 * or process meanwhile) is harmless: readers take the union by id.
 */
export async function post(context: Context, id: string, command: CommandOf<'post'>): Promise<Answer> {
  checkBody(command.body);
  const channel = channelScope(command.workspace, command.channel);
  const held = await context.lookup.segmentsOf(channel, id);
  let segment = held[0]?.segment ?? (await context.channels.segmentForPost(channel));
  for (;;) {
    const answer = await postInto(context, id, command, segment);
    if (answer !== 'full') return answer;
    segment = await context.channels.segmentForPost(channel);
  }
}

/** `full`: nothing was written, the post goes into the next segment. */
async function postInto(
  context: Context,
  id: string,
  command: CommandOf<'post'>,
  number: number,
): Promise<Answer | 'full'> {
  const channel = channelScope(command.workspace, command.channel);
  const name = segmentName(command.workspace, command.channel, number);
  const state = await context.channels.state(channel);
  const live = await context.documents.open(name).catch((error: unknown) => {
    if (error instanceof CausewayError && error.code === 'document-too-large') return undefined;
    throw error;
  });
  if (live === undefined) {
    // Quarantined: the channel goes on above it.
    state.above = Math.max(state.above, number);
    return 'full';
  }
  const size = sizeOf(command.body);
  return context.queue.run<Answer | 'full'>({
    key: name,
    live,
    size,
    author: (live) => {
      const segment = live!.segment!;
      const written = segment.positionOf(id);
      if (written !== undefined) return { answer: { id, token: [{ document: name, ...written }] } };
      const cells = context.channels.countPost(state, channel, number, size, segment.size);
      if (cells === 'full') return { answer: 'full' };
      const t = timeOfPost(context.clock.tick(), context.author());
      const position = segment.post(id, t, {
        a: command.member,
        b: command.body,
        o: context.region,
        ...(command.thread === undefined ? {} : { r: command.thread }),
        ...(command.also === undefined ? {} : { c: 1 }),
      });
      return { answer: { id, token: [{ document: name, ...position }] }, cells };
    },
  });
}

export function checkBody(body: string): void {
  if (body.length > LIMITS.bodyChars)
    throw new CausewayError(
      'body-too-large',
      `a message holds at most ${LIMITS.bodyChars} characters and this one has ${body.length}; split it`,
    );
  checkText(body, 'the message');
}

/** Postgres stores no NUL, and half a surrogate pair has no UTF-8: refused before anything is written. */
export function checkText(text: string, what: string): void {
  if (text.includes('\0') || !text.isWellFormed())
    throw new CausewayError(
      'invalid-request',
      `${what} holds a character that is not text (NUL or half a pair)`,
    );
}
