import { useState } from 'react';
import { counted } from '../words.ts';
import type { Actions } from './actions.ts';
import { Composer } from './composer.tsx';
import { MessageItem } from './message-item.tsx';
import type { Thread } from './threads.ts';

/** Answers shown without being asked for. */
const NEWEST = 3;

type Props = { thread: Thread; actions: Actions; follows: boolean };

/** A message and its answers. */
export function ThreadView({ thread: { root, replies }, actions, follows }: Props) {
  const [isReplying, setReplying] = useState(false);
  const [showsAll, setShowsAll] = useState(false);
  const hidden = showsAll ? 0 : Math.max(0, replies.length - NEWEST);
  return (
    <div className="thread">
      {root.thread === undefined ? null : <p className="orphan">reply to an earlier message</p>}
      <MessageItem
        message={root}
        actions={actions}
        follows={follows && root.thread === undefined}
        reply={() => setReplying(true)}
      />
      {replies.length === 0 && !isReplying ? null : (
        <div className="replies" aria-label={counted(replies.length, 'reply', 'replies')}>
          {hidden === 0 ? null : (
            <button type="button" className="quiet" onClick={() => setShowsAll(true)}>
              Show {counted(hidden, 'earlier reply', 'earlier replies')}
            </button>
          )}
          {replies.slice(hidden).map((message) => (
            <MessageItem
              key={message.id}
              message={message}
              actions={actions}
              reply={() => setReplying(true)}
            />
          ))}
          {isReplying ? (
            <Composer
              label={`Reply to ${root.author}`}
              action="Reply"
              autoFocus
              send={(body) => {
                actions.post(body, root.id);
                setReplying(false);
              }}
              cancel={() => setReplying(false)}
            />
          ) : null}
        </div>
      )}
    </div>
  );
}
