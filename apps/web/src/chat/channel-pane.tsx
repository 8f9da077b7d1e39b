import type { ChannelEntry, Client, ConnectionStatus } from '@causeway/client';
import { useChannel, useDraft, useOutbox, useTyping } from '@causeway/client/react';
import { useCallback, useEffect, useMemo, useState } from 'react';
import { inWords } from '../words.ts';
import { actionsOf } from './actions.ts';
import { ChannelHead } from './channel-head.tsx';
import { titleOf } from './channel-title.ts';
import { Composer } from './composer.tsx';
import { failuresWithoutMessage } from './failures.ts';
import { MessageList } from './message-list.tsx';
import { OtherFailures } from './other-failures.tsx';
import { Pinned } from './pinned.tsx';
import { ThreadPane } from './thread-pane.tsx';
import { TypingLine } from './typing-line.tsx';
import { useReading } from './use-reading.ts';

type Props = {
  client: Client;
  entry: ChannelEntry;
  /** The root of the thread that stands beside the messages. */
  thread?: string;
  openThread(root: string | undefined): void;
  onConnection(connection: ConnectionStatus): void;
};

/** One channel: what was said, and what one may say. */
export function ChannelPane({ client, entry, thread, openThread, onConnection }: Props) {
  const { feed, snapshot } = useChannel(client, entry.id);
  const outbox = useOutbox(client);
  const [typists, typing] = useTyping(client, entry.id);
  const draft = useDraft(client, entry.id);
  const [isAtEnd, setAtEnd] = useState(true);
  const [showsPins, setShowsPins] = useState(false);
  const keepUnread = useReading(client, feed, isAtEnd);
  const markUnread = useCallback(
    ({ id }: { id: string }) => {
      keepUnread();
      void client.markUnread(entry.id, id);
    },
    [client, entry.id, keepUnread],
  );
  const actions = useMemo(
    () => actionsOf(client, entry, { markUnread, openThread }),
    [client, entry, markUnread, openThread],
  );
  const connection = snapshot?.connection ?? 'connecting';
  useEffect(() => onConnection(connection), [connection, onConnection]);

  const title = titleOf(entry);
  return (
    <div className={thread === undefined ? 'panes' : 'panes two'}>
      <section className="pane" aria-label={`Channel ${title}`}>
        <ChannelHead
          client={client}
          entry={entry}
          title={title}
          topic={snapshot?.topic ?? ''}
          pins={snapshot?.pins.length ?? 0}
          showsPins={showsPins}
          togglePins={() => setShowsPins(!showsPins)}
        />
        {snapshot?.error === undefined ? null : (
          <p className="notice warn" role="alert">
            {inWords(snapshot.error)}
          </p>
        )}
        {showsPins && feed !== undefined ? (
          <Pinned
            feed={feed}
            ids={snapshot?.pins ?? []}
            messages={snapshot?.pinned ?? []}
            actions={actions}
          />
        ) : null}
        <MessageList
          messages={snapshot?.messages ?? []}
          pins={snapshot?.pins ?? []}
          older={snapshot?.older ?? 'loading'}
          loadOlder={() => void feed?.loadOlder()}
          onEnd={setAtEnd}
          actions={actions}
        />
        <OtherFailures entries={failuresWithoutMessage(outbox, snapshot)} actions={actions} />
        <TypingLine members={typists} />
        {entry.archived === true ? (
          <p className="notice warn">This channel is archived: it is read, and written no more.</p>
        ) : (
          <Composer
            label={`Message ${title}`}
            draft={draft}
            autoFocus
            typing={typing}
            send={(body) => actions.post(body)}
          />
        )}
      </section>
      {thread === undefined || feed === undefined ? null : (
        <ThreadPane
          key={thread}
          client={client}
          feed={feed}
          title={title}
          root={thread}
          actions={actions}
          close={() => openThread(undefined)}
        />
      )}
    </div>
  );
}
