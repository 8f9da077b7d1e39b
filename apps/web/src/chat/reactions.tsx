import type { ShownMessage } from '@causeway/client';
import type { Actions } from './actions.ts';

/** What others think of it; a click adds to it or takes one's own back. */
export function Reactions({ message, actions }: { message: ShownMessage; actions: Actions }) {
  const reactions = Object.entries(message.reactions ?? {});
  if (reactions.length === 0) return null;
  return (
    <div className="reactions">
      {reactions.map(([emoji, members]) => {
        const mine = members.includes(actions.member);
        return (
          <button
            key={emoji}
            type="button"
            className={mine ? 'reaction mine' : 'reaction'}
            aria-pressed={mine}
            aria-label={`${emoji} by ${members.join(', ')}`}
            title={members.join(', ')}
            onClick={() => actions.toggle(message, emoji)}
          >
            {emoji} <span>{members.length}</span>
          </button>
        );
      })}
    </div>
  );
}
