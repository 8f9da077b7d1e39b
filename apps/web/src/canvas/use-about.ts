import type { Client } from '@causeway/client';
import type { CanvasShares, ListedVersion, Token } from '@causeway/protocol';
import { useCallback, useEffect, useState } from 'react';

/** Others keep versions and change rights too, milliseconds. */
const LOOK_EVERY_MS = 5_000;

export type About = { versions: readonly ListedVersion[]; shares?: CanvasShares };

/** Versions and rights of a canvas; looks again every few seconds, and at once for what a token stands for. */
export function useAbout(client: Client, canvas: string): [About, (after: Token) => Promise<void>] {
  const [about, setAbout] = useState<About>({ versions: [] });

  const read = useCallback(
    async (after?: Token, signal?: AbortSignal): Promise<void> => {
      try {
        const [versions, shares] = await Promise.all([
          client.canvasVersions(canvas, after, signal),
          client.canvasRights(canvas, after, signal),
        ]);
        if (signal?.aborted !== true) setAbout({ versions, shares });
      } catch {
        // A region that does not answer is told of elsewhere on the page; what is known stays.
      }
    },
    [client, canvas],
  );

  useEffect(() => {
    const over = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = async (): Promise<void> => {
      if (!document.hidden) await read(undefined, over.signal);
      if (!over.signal.aborted) timer = setTimeout(() => void look(), LOOK_EVERY_MS);
    };
    void look();
    return () => {
      over.abort();
      clearTimeout(timer);
    };
  }, [read]);

  return [about, read];
}
