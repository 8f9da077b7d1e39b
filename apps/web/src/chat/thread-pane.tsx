import type { ChannelFeed, Client } from '@causeway/client';
import { useDraft, useObservable, useOpened, useTyping } from '@causeway/client/react';
import { useState } from 'react';
import { counted, inWords } from '../words.ts';
import type { Actions } from './actions.ts';
import { Composer } from './composer.tsx';
import { MessageItem } from './message-item.tsx';
import { TypingLine } from './typing-line.tsx';

type Props = {
  client: Client;
  feed: ChannelFeed;
  /** Of the channel. */
  title: string;
  root: string;
  actions: Actions;
  close(): void;
};

/** A message and its replies, beside the channel. */
export function ThreadPane({ client, feed, title, root: id, actions, close }: Props) {
  const thread = useOpened(feed, (owner) => owner.openThread(id), id);
  const { root, replies, older, error } = useObservable(thread) ?? EMPTY;
  const channel = feed.channel.id;
  const draft = useDraft(client, channel, id);
  const [typists, typing] = useTyping(client, channel, id);
  const [also, setAlso] = useState(false);
  return (
    <section className="pane thread" aria-label="Thread">
      <header className="pane-head">
        <h1>Thread</h1>
        <span className="faint">{title}</span>
        <span className="spacer" />
        <button type="button" className="bare" aria-label="Close the thread" onClick={close}>
          ✕
        </button>
      </header>
      <div className="list" role="log" aria-label="Replies" tabIndex={0}>
        {root === undefined ? (
          <p className="edge faint">{older === 'loading' ? 'Loading …' : 'This message was deleted.'}</p>
        ) : (
          <MessageItem message={root} actions={actions} />
        )}
        <p className="day">
          <span>{counted(replies.length, 'reply', 'replies')}</span>
        </p>
        {older === 'more' && replies.length > 0 ? (
          <p className="edge">
            <button type="button" onClick={() => void thread?.loadOlder()}>
              Load older replies
            </button>
          </p>
        ) : null}
        {error === undefined ? null : (
          <p className="notice warn" role="alert">
            {inWords(error)}
          </p>
        )}
        {replies.map((message) => (
          <MessageItem key={message.id} message={message} actions={actions} />
        ))}
      </div>
      <TypingLine members={typists} />
      <Composer
        label={`Reply to ${root?.author ?? 'the thread'}`}
        action="Reply"
        draft={draft}
        autoFocus
        typing={typing}
        send={(body) => {
          actions.post(body, { thread: id, also });
          setAlso(false);
        }}
      />
      <label className="also">
        <input type="checkbox" checked={also} onChange={(event) => setAlso(event.target.checked)} /> also send
        to {title}
      </label>
    </section>
  );
}

const EMPTY = { root: undefined, replies: [], older: 'loading', error: undefined } as const;
