import type { Client } from '@causeway/client';
import { useObservable } from '@causeway/client/react';
import { Failure } from '../chat/failure.tsx';

/** Commands about a canvas that were given up. */
export function CanvasFailures({ client, canvas }: { client: Client; canvas: string }) {
  const outbox = useObservable(client.outbox);
  const failed = outbox.filter(
    ({ state, command }) => state === 'failed' && 'canvas' in command && command.canvas === canvas,
  );
  if (failed.length === 0) return null;
  const actions = {
    retry: (id: string) => client.retry(id),
    discard: (id: string) => client.outbox.discard(id),
  };
  return (
    <div className="failures">
      {failed.map((entry) => (
        <Failure key={entry.id} entry={entry} actions={actions} />
      ))}
    </div>
  );
}
