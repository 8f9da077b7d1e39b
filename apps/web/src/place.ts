import { useCallback, useSyncExternalStore } from 'react';

/** Where this window is: in the address, so that a second window can be opened there and shared. */
export type Place = {
  region?: string;
  workspace?: string;
  channel?: string;
  member?: string;
  /** The root of a thread of the channel, shown beside it. */
  thread?: string;
  /** Shown instead of the channel. */
  canvas?: string;
};

const KEYS = ['region', 'workspace', 'channel', 'member', 'thread', 'canvas'] as const;
const MOVED = 'causeway:moved';

function placeOf(search: string): Place {
  const params = new URLSearchParams(search);
  return Object.fromEntries(
    KEYS.map((key) => [key, params.get(key)]).filter(([, value]) => value !== null && value !== ''),
  ) as Place;
}

/** The address of a place, relative to this page. */
export function addressOf(place: Place): string {
  const params = new URLSearchParams();
  for (const key of KEYS) if (place[key] !== undefined) params.set(key, place[key]);
  return `?${params}`;
}

/** The place that the address names, and a way to go elsewhere. */
export function usePlace(): [Place, (place: Place) => void] {
  const search = useSyncExternalStore(subscribe, () => location.search);
  const go = useCallback((place: Place) => {
    const address = addressOf(place);
    if (address === location.search) return;
    history.pushState(null, '', address);
    dispatchEvent(new Event(MOVED));
  }, []);
  return [placeOf(search), go];
}

function subscribe(listener: () => void): () => void {
  addEventListener('popstate', listener);
  addEventListener(MOVED, listener);
  return () => {
    removeEventListener('popstate', listener);
    removeEventListener(MOVED, listener);
  };
}
