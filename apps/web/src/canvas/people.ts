import type { CanvasSnapshot } from '@causeway/client';
import { useCallback, useRef, useSyncExternalStore } from 'react';
import { colorOf } from '../member-color.ts';

type Awareness = CanvasSnapshot['awareness'];

/** Somebody who has the canvas open; several windows of one person are one. */
export type Person = { name: string; color: string };

const COLOR = /^#[0-9a-f]{6}$/i;
const NAME_CHARS = 64;

/**
 * Who says that they are here, by name, each once. States come from clients of all kinds: without
 * a name they are nobody, and a colour that is none is the one that the name has here.
 */
export function peopleIn(states: Iterable<Record<string, unknown>>): Person[] {
  const people = new Map<string, Person>();
  for (const { user } of states) {
    const { name, color } = (user ?? {}) as { name?: unknown; color?: unknown };
    if (typeof name !== 'string' || name === '' || people.has(name)) continue;
    const isColor = typeof color === 'string' && COLOR.test(color);
    people.set(name, { name: name.slice(0, NAME_CHARS), color: isColor ? color : colorOf(name) });
  }
  return [...people.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Who is here, as it changes. */
export function usePeople(awareness: Awareness): readonly Person[] {
  const shown = useRef<readonly Person[]>([]);
  const subscribe = useCallback(
    (listener: () => void) => {
      awareness.on('change', listener);
      return () => awareness.off('change', listener);
    },
    [awareness],
  );
  // A caret that moves changes a state, but not who is here.
  return useSyncExternalStore(subscribe, () => {
    const now = peopleIn(awareness.getStates().values());
    return JSON.stringify(now) === JSON.stringify(shown.current) ? shown.current : (shown.current = now);
  });
}
