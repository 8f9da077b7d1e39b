import type { Command, CommandOf, Message } from '@causeway/protocol';
import type { OutboxEntry } from './outbox.ts';

/** A message as its reader should see it now, with what is still on its way. */
export type ShownMessage = Message & {
  /** The newest thing that this client did to it and no region has confirmed. */
  pending?: OutboxEntry;
};

/** A command that a region has acknowledged, and when, milliseconds since 1970. */
export type Acknowledged = { command: Command; at: number };

/**
 * What regions hold, with this member's own changes on top. `acknowledged` are those that a region
 * has and that did not come back yet. What failed is shown as it was before, and marked.
 */
export function shownMessages(
  held: readonly Message[],
  acknowledged: readonly Acknowledged[],
  waiting: readonly OutboxEntry[],
  idOf: (command: Command) => string,
): readonly ShownMessage[] {
  if (acknowledged.length === 0 && waiting.length === 0) return held;
  const shown = new Map<string, ShownMessage>(held.map((message) => [message.id, message]));
  for (const { command, at } of acknowledged) apply(shown, command, idOf(command), at, undefined);
  for (const entry of waiting) apply(shown, entry.command, entry.id, entry.addedAt, entry);
  return [...shown.values()];
}

function apply(
  shown: Map<string, ShownMessage>,
  command: Command,
  id: string,
  at: number,
  entry: OutboxEntry | undefined,
): void {
  if (command.kind === 'post') {
    if (!shown.has(id)) shown.set(id, { ...posted(id, command, at), ...pending(entry) });
    return;
  }
  if (command.kind !== 'edit' && command.kind !== 'delete' && command.kind !== 'react') return;
  const message = shown.get(command.message);
  if (message === undefined) return;
  const changed = entry?.state === 'failed' ? message : change(message, command, entry);
  if (changed === undefined) shown.delete(command.message);
  else shown.set(command.message, { ...changed, ...pending(entry) });
}

/** Its `t` is larger than every real one: what is on its way stands last. */
const posted = (id: string, { member, body, thread, also }: CommandOf<'post'>, at: number): Message => ({
  id,
  author: member,
  body,
  t: '~',
  at,
  region: '',
  ...(thread === undefined ? {} : { thread }),
  ...(also === undefined ? {} : { also }),
});

/** A deletion that is not confirmed keeps the message in sight. */
function change(
  message: ShownMessage,
  command: CommandOf<'edit' | 'delete' | 'react'>,
  entry: OutboxEntry | undefined,
): ShownMessage | undefined {
  switch (command.kind) {
    case 'delete':
      return entry === undefined ? undefined : message;
    case 'edit':
      return command.v < (message.editedAt ?? 0)
        ? message
        : { ...message, body: command.body, editedAt: command.v };
    case 'react':
      return { ...message, reactions: reacted(message.reactions ?? {}, command) };
  }
}

function reacted(
  reactions: Record<string, string[]>,
  { emoji, member, on }: CommandOf<'react'>,
): Record<string, string[]> {
  const { [emoji]: before = [], ...rest } = reactions;
  const others = before.filter((each) => each !== member);
  const after = on ? [...others, member] : others;
  return after.length === 0 ? rest : { ...reactions, [emoji]: after };
}

const pending = (entry: OutboxEntry | undefined): { pending?: OutboxEntry } =>
  entry === undefined ? {} : { pending: entry };
