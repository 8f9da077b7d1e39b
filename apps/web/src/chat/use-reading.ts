import type { ChannelFeed, Client } from '@causeway/client';
import { useCallback, useEffect, useRef } from 'react';

/** Between two markers, milliseconds. */
const MARK_MS = 1_000;

/**
 * Marks a channel as read while its end is on a screen that somebody looks at. The returned function
 * ends that until the channel is opened again, for who wants to come back to it.
 */
export function useReading(client: Client, feed: ChannelFeed | undefined, isAtEnd: boolean): () => void {
  const keepsUnread = useRef(false);
  useEffect(() => {
    if (feed === undefined || !isAtEnd) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const mark = (): void => {
      timer = undefined;
      // What becomes of it shows below the messages.
      if (!document.hidden && !keepsUnread.current) client.markRead(feed).catch(() => undefined);
    };
    const soon = (): void => {
      timer ??= setTimeout(mark, MARK_MS);
    };
    soon();
    const leave = feed.subscribe(soon);
    document.addEventListener('visibilitychange', soon);
    return () => {
      clearTimeout(timer);
      leave();
      document.removeEventListener('visibilitychange', soon);
    };
  }, [client, feed, isAtEnd]);
  return useCallback(() => {
    keepsUnread.current = true;
  }, []);
}
