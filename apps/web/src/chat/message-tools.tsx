import type { ShownMessage } from '@causeway/client';
import { useState } from 'react';
import type { Actions } from './actions.ts';

const EMOJI = ['👍', '❤️', '😂', '🎉', '👀'];

type Props = { message: ShownMessage; isPinned: boolean; actions: Actions; edit(): void };

/** Appears when the pointer or the keyboard is at the message. */
export function MessageTools({ message, isPinned, actions, edit }: Props) {
  const [asks, setAsks] = useState(false);
  if (asks)
    return (
      <div className="tools open" role="group" aria-label="Delete this message?">
        <span>Delete for good?</span>
        <button
          type="button"
          className="danger"
          onClick={() => {
            actions.delete(message);
            setAsks(false);
          }}
        >
          Delete
        </button>
        <button type="button" autoFocus onClick={() => setAsks(false)}>
          Keep
        </button>
      </div>
    );
  return (
    <div className="tools" role="group" aria-label="What to do with this message">
      {EMOJI.map((emoji) => (
        <button
          key={emoji}
          type="button"
          className="emoji"
          aria-label={`React with ${emoji}`}
          onClick={() => actions.toggle(message, emoji)}
        >
          {emoji}
        </button>
      ))}
      <button type="button" onClick={() => actions.openThread(message.thread ?? message.id)}>
        Reply
      </button>
      <button type="button" onClick={() => actions.pin(message.id, !isPinned)}>
        {isPinned ? 'Unpin' : 'Pin'}
      </button>
      {message.author === actions.member ? (
        <>
          <button type="button" onClick={edit}>
            Edit
          </button>
          <button type="button" onClick={() => setAsks(true)}>
            Delete
          </button>
        </>
      ) : (
        <button type="button" onClick={() => actions.markUnread(message)}>
          Unread
        </button>
      )}
    </div>
  );
}
