import type { Client } from '@causeway/client';
import type { Canvas } from '@causeway/protocol';
import { useCallback, useEffect, useState } from 'react';

const LOOK_EVERY_MS = 3_000;

/** The canvases of the workspace; looks again every few seconds, and at once when asked to. */
export function useCanvases(client: Client): [readonly Canvas[], () => void] {
  const [canvases, setCanvases] = useState<readonly Canvas[]>([]);
  const [asked, setAsked] = useState(0);

  useEffect(() => {
    const over = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = async (): Promise<void> => {
      // A region that does not answer is told of elsewhere on the page; the list stays as it was.
      const next = document.hidden ? undefined : await client.canvases(over.signal).catch(() => undefined);
      if (over.signal.aborted) return;
      if (next !== undefined) setCanvases(next);
      timer = setTimeout(() => void look(), LOOK_EVERY_MS);
    };
    void look();
    return () => {
      over.abort();
      clearTimeout(timer);
    };
  }, [client, asked]);

  return [canvases, useCallback(() => setAsked((count) => count + 1), [])];
}
