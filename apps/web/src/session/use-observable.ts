import { useEffect, useState, useSyncExternalStore } from 'react';

type Observable<T> = { getSnapshot(): T; subscribe(listener: () => void): () => void };
type Closable = { close(): void };

/** Opens something of `owner` for as long as it is shown, and closes it after that. */
export function useOpened<O, T extends Closable>(owner: O, open: (owner: O) => T): T | undefined {
  const [opened, setOpened] = useState<T>();
  useEffect(() => {
    const value = open(owner);
    setOpened(value);
    return () => {
      setOpened(undefined);
      value.close();
    };
    // `open` is made anew at every render and means the same every time.
  }, [owner]);
  return opened;
}

const NOTHING = { getSnapshot: () => undefined, subscribe: () => () => undefined };

/** What it shows now; `undefined` while there is none. */
export function useObservable<T>(observable: Observable<T> | undefined): T | undefined {
  const source: Observable<T | undefined> = observable ?? NOTHING;
  return useSyncExternalStore(source.subscribe, source.getSnapshot);
}
