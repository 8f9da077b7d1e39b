import type { ChannelEntry, Client } from '@causeway/client';
import { useEffect, useRef } from 'react';
import { NewChannel } from './new-channel.tsx';

type Props = {
  client: Client;
  entries: readonly ChannelEntry[];
  /** Goes to a channel, by its slug. */
  open(slug: string): void;
  close(): void;
};

/** All channels of the workspace, to join, to leave, and to look at; and a new one. */
export function ChannelBrowser({ client, entries, open, close }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    dialog.current?.showModal();
    void client.lookForChannels();
  }, [client]);
  const shown = entries
    .filter(({ kind, archived }) => kind !== 'direct' && archived !== true)
    .toSorted((a, b) => (a.slug < b.slug ? -1 : 1));
  return (
    <dialog ref={dialog} className="browser" aria-label="Channels of the workspace" onClose={close}>
      <header>
        <h2>Channels</h2>
        <button type="button" className="bare" aria-label="Close" onClick={() => dialog.current?.close()}>
          ✕
        </button>
      </header>
      <ul>
        {shown.map((entry) => (
          <li key={entry.id}>
            <button type="button" className="bare" onClick={() => open(entry.slug)}>
              <span className="faint">{entry.kind === 'private' ? '🔒' : '#'}</span> {entry.slug}
            </button>
            {entry.kind === 'public' ? (
              <button
                type="button"
                aria-label={`${entry.isJoined ? 'Leave' : 'Join'} #${entry.slug}`}
                onClick={() => void client.join(entry.id, !entry.isJoined)}
              >
                {entry.isJoined ? 'Leave' : 'Join'}
              </button>
            ) : null}
          </li>
        ))}
      </ul>
      <NewChannel client={client} created={open} />
    </dialog>
  );
}
