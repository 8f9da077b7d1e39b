import type { ShownMessage } from '@causeway/client';

/** A message that answers none, or whose root is not loaded, with the answers below it. */
export type Thread = { root: ShownMessage; replies: ShownMessage[] };

/** Gathers answers, and answers to those, under the first message of their thread. */
export function threadsOf(messages: readonly ShownMessage[]): Thread[] {
  const byId = new Map(messages.map((message) => [message.id, message]));
  const threads = new Map<string, Thread>();
  for (const message of messages) {
    const root = rootOf(message, byId);
    const thread = threads.get(root.id) ?? { root, replies: [] };
    threads.set(root.id, thread);
    if (message !== root) thread.replies.push(message);
  }
  return messages.map(({ id }) => threads.get(id)).filter((thread) => thread !== undefined);
}

/** There is no ring of them: an id is a hash of what the message answers. */
function rootOf(message: ShownMessage, byId: ReadonlyMap<string, ShownMessage>): ShownMessage {
  const above = message.thread === undefined ? undefined : byId.get(message.thread);
  return above === undefined ? message : rootOf(above, byId);
}
