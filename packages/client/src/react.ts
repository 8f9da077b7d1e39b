import { useCallback, useEffect, useMemo, useState, useSyncExternalStore } from 'react';
import type { ChannelFeed, ChannelSnapshot } from './channel-feed.ts';
import type { Client } from './client.ts';
import type { Connection } from './link/link.ts';
import type { OutboxEntry } from './outbox.ts';
import type { ChannelEntry } from './stores/channels.ts';
import { draftKey } from './stores/own-cells.ts';
import type { PresenceStates, Typist } from './stores/presence.ts';
import type { ScheduledPost } from './stores/scheduled.ts';
import type { Observable } from './stores/store.ts';

const NOTHING: Observable<undefined> = { getSnapshot: () => undefined, subscribe: () => () => undefined };

/** What it shows now; `undefined` while there is none. */
export function useObservable<T>(observable: Observable<T>): T;
export function useObservable<T>(observable: Observable<T> | undefined): T | undefined;
export function useObservable<T>(observable: Observable<T> | undefined): T | undefined {
  const source: Observable<T | undefined> = observable ?? NOTHING;
  return useSyncExternalStore(source.subscribe, source.getSnapshot, source.getSnapshot);
}

/** Opens something of `owner` for as long as it is shown, and closes it after that; again when `key` changes. */
export function useOpened<O, T extends { close(): void }>(
  owner: O,
  open: (owner: O) => T,
  key?: string,
): T | undefined {
  const [opened, setOpened] = useState<T>();
  useEffect(() => {
    const value = open(owner);
    setOpened(value);
    return () => {
      setOpened(undefined);
      value.close();
    };
    // `open` is made anew at every render and means the same every time.
  }, [owner, key]);
  return opened;
}

/** Follows a channel, by slug or id, while it is shown: nothing at first, then the feed and what it holds. */
export function useChannel(
  client: Client,
  channel: string,
): { feed?: ChannelFeed; snapshot?: ChannelSnapshot } {
  const feed = useOpened(client, (owner) => owner.openChannel(channel), channel);
  const snapshot = useObservable(feed);
  return { ...(feed === undefined ? {} : { feed }), ...(snapshot === undefined ? {} : { snapshot }) };
}

/** The channels of the member, with what is unread in each. */
export const useChannels = (client: Client): readonly ChannelEntry[] => useObservable(client.channels);

export const useOutbox = (client: Client): readonly OutboxEntry[] => useObservable(client.outbox);

export const useConnection = (client: Client): Connection => useObservable(client.connection);

export const useScheduled = (client: Client): readonly ScheduledPost[] => useObservable(client.scheduled);

/** Whether these members are here; those of whom nothing is known yet are missing. */
export function usePresence(client: Client, members: readonly string[]): PresenceStates {
  const key = [...members].sort().join(' ');
  useEffect(() => client.presence.watch(key === '' ? [] : key.split(' ')), [client, key]);
  return useObservable(client.presence);
}

/** Who types in a channel, or below one of its messages; and a function to call for every key. */
export function useTyping(client: Client, channel: string, thread?: string): [readonly string[], () => void] {
  const all = useObservable(client.typing).get(channel) ?? NOBODY;
  const here = useMemo(
    () => all.filter((typist) => typist.thread === thread).map(({ member }) => member),
    [all, thread],
  );
  return [here, useCallback(() => client.typing.tell(channel, thread), [client, channel, thread])];
}

const NOBODY: readonly Typist[] = [];

/** What was begun in a channel (by id), or below a message; it is kept while it is typed. */
export function useDraft(client: Client, channel: string, thread?: string): [string, (body: string) => void] {
  const text = useObservable(client.drafts).get(draftKey(channel, thread).slice('draft|'.length)) ?? '';
  const set = useCallback(
    (body: string) => client.drafts.set(channel, body, thread),
    [client, channel, thread],
  );
  return [text, set];
}
