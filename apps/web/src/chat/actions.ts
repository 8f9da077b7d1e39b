import type { ChannelEntry, Client, ShownMessage } from '@causeway/client';

/** What a person can do in one channel. What becomes of it shows in the messages. */
export type Actions = {
  readonly member: string;
  post(body: string, options?: { thread: string; also: boolean }): void;
  edit(message: ShownMessage, body: string): void;
  delete(message: ShownMessage): void;
  toggle(message: ShownMessage, emoji: string): void;
  pin(message: string, on: boolean): void;
  markUnread(message: ShownMessage): void;
  openThread(root: string): void;
  retry(command: string): void;
  discard(command: string): void;
};

/** What only the pane knows how to do. */
type OfPane = Pick<Actions, 'markUnread' | 'openThread'>;

export const actionsOf = (
  client: Client,
  { id: channel, isJoined }: ChannelEntry,
  pane: OfPane,
): Actions => ({
  ...pane,
  member: client.member,
  post(body, options) {
    // Who speaks in a channel wants to hear what is answered.
    if (!isJoined) void client.join(channel, true);
    void client.post(channel, body, options);
  },
  edit: ({ id }, body) => void client.edit(channel, id, body),
  delete: ({ id }) => void client.delete(channel, id),
  toggle({ id, reactions }, emoji) {
    const isOn = reactions?.[emoji]?.includes(client.member) ?? false;
    void client.react(channel, id, emoji, !isOn);
  },
  pin: (message, on) => void client.pin(channel, message, on),
  retry: (command) => client.retry(command),
  discard: (command) => client.outbox.discard(command),
});
