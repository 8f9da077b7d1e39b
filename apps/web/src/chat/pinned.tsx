import type { ChannelFeed } from '@causeway/client';
import type { Message } from '@causeway/protocol';
import { useEffect } from 'react';
import { exactTime } from '../words.ts';
import type { Actions } from './actions.ts';
import { MessageText } from './message-text.tsx';

type Props = {
  feed: ChannelFeed;
  ids: readonly string[];
  messages: readonly Message[];
  actions: Actions;
};

/** What was pinned to the channel, the newest pin first. */
export function Pinned({ feed, ids, messages, actions }: Props) {
  useEffect(() => void feed.loadPins(), [feed, ids]);
  return (
    <ul className="pinned" aria-label="Pinned messages">
      {messages.map(({ id, author, at, body }) => (
        <li key={id}>
          <div className="head">
            <strong>{author}</strong>
            <time dateTime={new Date(at).toISOString()}>{exactTime(at)}</time>
            <span className="spacer" />
            <button type="button" className="bare" onClick={() => actions.pin(id, false)}>
              Unpin
            </button>
          </div>
          <MessageText body={body} member={actions.member} />
        </li>
      ))}
    </ul>
  );
}
