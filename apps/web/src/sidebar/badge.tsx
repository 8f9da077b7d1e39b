import type { ChannelEntry } from '@causeway/client';
import { counted } from '../words.ts';

/** How much is unread; mentions stand out. A muted channel says nothing but these. */
export function Badge({ entry: { unread, mentions, isMuted } }: { entry: ChannelEntry }) {
  if (mentions > 0)
    return (
      <span className="count mentions" aria-label={counted(mentions, 'mention', 'mentions')}>
        @{mentions}
      </span>
    );
  if (unread === 0 || isMuted) return null;
  return (
    <span className="count" aria-label={`${unread} unread`}>
      {unread > 99 ? '99+' : unread}
    </span>
  );
}

/** Whether the name of a channel calls for attention. */
export const isLoud = ({ unread, mentions, isMuted }: ChannelEntry): boolean =>
  mentions > 0 || (unread > 0 && !isMuted);
