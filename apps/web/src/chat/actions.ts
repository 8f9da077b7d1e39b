import type { Client, ShownMessage } from '@causeway/client';

/** What a person can do in one channel. What becomes of it shows in the messages. */
export type Actions = {
  readonly member: string;
  post(body: string, thread?: string): void;
  edit(message: ShownMessage, body: string): void;
  delete(message: ShownMessage): void;
  toggle(message: ShownMessage, emoji: string): void;
  retry(command: string): void;
  discard(command: string): void;
};

export const actionsOf = (client: Client, channel: string): Actions => ({
  member: client.member,
  post: (body, thread) => void client.post(channel, body, thread === undefined ? {} : { thread }),
  edit: ({ id }, body) => void client.edit(channel, id, body),
  delete: ({ id }) => void client.delete(channel, id),
  toggle({ id, reactions }, emoji) {
    const isOn = reactions?.[emoji]?.includes(client.member) ?? false;
    void client.react(channel, id, emoji, !isOn);
  },
  retry: (command) => client.retry(command),
  discard: (command) => client.outbox.discard(command),
});
