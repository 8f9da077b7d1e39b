import type { ChannelSnapshot, Client, ConnectionStatus, OutboxEntry } from '@causeway/client';
import { useEffect, useMemo } from 'react';
import { useObservable, useOpened } from '../session/use-observable.ts';
import { inWords } from '../words.ts';
import { actionsOf } from './actions.ts';
import { Composer } from './composer.tsx';
import { MessageList } from './message-list.tsx';
import { OtherFailures } from './other-failures.tsx';

type Props = { client: Client; channel: string; onConnection(connection: ConnectionStatus): void };

/** One channel: what was said, and what one may say. */
export function ChannelPane({ client, channel, onConnection }: Props) {
  const feed = useOpened(client, (owner) => owner.openChannel(channel));
  const snapshot = useObservable(feed);
  const outbox = useObservable(client.outbox);
  const actions = useMemo(() => actionsOf(client, channel), [client, channel]);
  const connection = snapshot?.connection ?? 'connecting';
  useEffect(() => onConnection(connection), [connection, onConnection]);

  return (
    <section className="pane" aria-label={`Channel ${channel}`}>
      <header className="pane-head">
        <h1>
          <span className="faint">#</span> {channel}
        </h1>
        <p className="faint topic">{snapshot?.topic}</p>
      </header>
      <Trouble snapshot={snapshot} />
      <MessageList
        messages={snapshot?.messages ?? []}
        older={snapshot?.older ?? 'loading'}
        loadOlder={() => void feed?.loadOlder()}
        actions={actions}
      />
      <OtherFailures entries={failuresWithoutMessage(outbox ?? [], snapshot)} actions={actions} />
      <Composer label={`Message #${channel}`} autoFocus send={(body) => actions.post(body)} />
    </section>
  );
}

function Trouble({ snapshot }: { snapshot: ChannelSnapshot | undefined }) {
  if (snapshot?.error === undefined) return null;
  return (
    <p className="notice warn" role="alert">
      {inWords(snapshot.error)}
    </p>
  );
}

/** What failed for a message that is not in sight, or for none. */
function failuresWithoutMessage(
  outbox: readonly OutboxEntry[],
  snapshot: ChannelSnapshot | undefined,
): OutboxEntry[] {
  const shown = new Set(snapshot?.messages.map(({ pending }) => pending?.id));
  return outbox.filter(({ id, state }) => state === 'failed' && !shown.has(id));
}
