import { useCallback, useEffect, useState } from 'react';
import { readWorld, type World } from './control.ts';

export type WorldView = {
  world?: World;
  /** Why the newest look at the world failed. */
  error?: string;
};

const LOOK_EVERY_MS = 1_000;

/** The world as of a second ago; looks again at once when asked to. Rests while nobody looks. */
export function useWorld(): [WorldView, () => void] {
  const [view, setView] = useState<WorldView>({});
  const [asked, setAsked] = useState(0);

  useEffect(() => {
    let over = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = async (): Promise<void> => {
      const next = document.hidden ? undefined : await seen();
      if (over) return;
      if (next !== undefined) setView((before) => ({ ...before, error: undefined, ...next }) as WorldView);
      timer = setTimeout(() => void look(), LOOK_EVERY_MS);
    };
    void look();
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [asked]);

  return [view, useCallback(() => setAsked((count) => count + 1), [])];
}

async function seen(): Promise<Partial<WorldView>> {
  try {
    return { world: await readWorld() };
  } catch (cause) {
    return { error: (cause as Error).message };
  }
}
