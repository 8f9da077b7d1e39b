import type { ShownMessage } from '@causeway/client';
import { memo, useRef, useState } from 'react';
import { exactTime, timeOfDay } from '../words.ts';
import type { Actions } from './actions.ts';
import { Avatar } from './avatar.tsx';
import { Composer } from './composer.tsx';
import { EditHistory } from './edit-history.tsx';
import { Failure } from './failure.tsx';
import { MessageText } from './message-text.tsx';
import { MessageTools } from './message-tools.tsx';
import { Reactions } from './reactions.tsx';
import { ThreadLine } from './thread-line.tsx';

type Props = {
  message: ShownMessage;
  actions: Actions;
  /** Goes on with the message before: no head. */
  follows?: boolean;
  isPinned?: boolean;
  /** Says what its thread is, where that does not stand beside it. */
  showsThread?: boolean;
};

/** One message, and what one can do with it. */
export const MessageItem = memo(function MessageItem({
  message,
  actions,
  follows = false,
  isPinned = false,
  showsThread = false,
}: Props) {
  const article = useRef<HTMLElement>(null);
  const [isEditing, setEditing] = useState(false);
  const [showsHistory, setShowsHistory] = useState(false);
  const { pending, region, author, at } = message;
  const endEditing = (): void => {
    setEditing(false);
    article.current?.focus();
  };
  const isSent = region !== '';
  const state = pending === undefined ? 'held' : pending.state === 'failed' ? 'failed' : 'sending';
  return (
    <article
      ref={article}
      tabIndex={-1}
      className={`message ${state} ${follows ? 'follows' : ''}`}
      data-message={message.id}
      data-state={state}
      aria-label={`${author}: ${message.body.slice(0, 80)}`}
    >
      {follows ? <span className="gutter" /> : <Avatar member={author} />}
      <div className="content">
        <div className="head">
          {follows ? null : <strong className="author">{author}</strong>}
          {isSent ? (
            <>
              {follows ? null : (
                <time dateTime={new Date(at).toISOString()} title={exactTime(at)}>
                  {timeOfDay(at)}
                </time>
              )}
              <span className="tag" title={`Accepted in ${region}, ${exactTime(at)}`}>
                {region}
              </span>
            </>
          ) : null}
          {isPinned ? <span title="Pinned">📌</span> : null}
          {state === 'sending' ? <span className="faint sending">sending …</span> : null}
          {message.editedAt === undefined ? null : (
            <button
              type="button"
              className="quiet"
              aria-expanded={showsHistory}
              onClick={() => setShowsHistory(!showsHistory)}
            >
              edited
            </button>
          )}
        </div>
        {isEditing ? (
          <Composer
            label="Edit message"
            text={message.body}
            action="Save"
            autoFocus
            send={(body) => {
              if (body !== message.body) actions.edit(message, body);
              endEditing();
            }}
            cancel={endEditing}
          />
        ) : (
          <MessageText body={message.body} member={actions.member} />
        )}
        {showsHistory ? <EditHistory message={message} /> : null}
        <Reactions message={message} actions={actions} />
        {showsThread ? <ThreadLine message={message} actions={actions} /> : null}
        {pending?.state === 'failed' ? <Failure entry={pending} actions={actions} /> : null}
      </div>
      {isSent && !isEditing ? (
        <MessageTools message={message} isPinned={isPinned} actions={actions} edit={() => setEditing(true)} />
      ) : null}
    </article>
  );
});
