import { useEffect, useState, useSyncExternalStore } from 'react';

type Observable<T> = { getSnapshot(): T; subscribe(listener: () => void): () => void };
type Closable = { close(): void };

/**
 * Opens something for as long as it is shown, and closes it after that. `key` says when another one
 * is meant.
 */
export function useOpened<T extends Closable>(open: () => T, key: unknown): T | undefined {
  const [opened, setOpened] = useState<{ key: unknown; value: T }>();
  useEffect(() => {
    const value = open();
    setOpened({ key, value });
    return () => value.close();
    // `open` is made anew at every render; what it means is the key.
  }, [key]);
  return opened?.key === key ? opened?.value : undefined;
}

const NOTHING = { getSnapshot: () => undefined, subscribe: () => () => undefined };

/** What it shows now; `undefined` while there is none. */
export function useObservable<T>(observable: Observable<T> | undefined): T | undefined {
  const source: Observable<T | undefined> = observable ?? NOTHING;
  return useSyncExternalStore(source.subscribe, source.getSnapshot);
}
