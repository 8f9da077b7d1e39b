import type { ShownMessage } from '@causeway/client';
import { counted } from '../words.ts';
import type { Actions } from './actions.ts';

/** What the list says of a thread; a click opens it. */
export function ThreadLine({
  message: { id, thread, replies },
  actions,
}: {
  message: ShownMessage;
  actions: Actions;
}) {
  if (thread !== undefined)
    return (
      <button type="button" className="quiet" onClick={() => actions.openThread(thread)}>
        replied in a thread
      </button>
    );
  if (replies === undefined) return null;
  return (
    <button type="button" className="thread-line" onClick={() => actions.openThread(id)}>
      <b>{counted(replies.count, 'reply', 'replies')}</b>
      <span className="faint">{replies.participants.slice(0, 3).join(', ')}</span>
    </button>
  );
}
