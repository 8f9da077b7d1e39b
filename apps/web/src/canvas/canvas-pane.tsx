import type { Client, ConnectionStatus } from '@causeway/client';
import { useEffect } from 'react';
import { useObservable, useOpened } from '@causeway/client/react';
import { inWords } from '../words.ts';
import { SharedTextarea } from './shared-textarea.tsx';

type Props = {
  client: Client;
  id: string;
  title: string;
  onConnection(connection: ConnectionStatus): void;
};

/** One canvas, open for writing. */
export function CanvasPane({ client, id, title, onConnection }: Props) {
  const canvas = useOpened(client, (owner) => owner.openCanvas(id));
  const snapshot = useObservable(canvas);
  const connection = snapshot?.connection ?? 'connecting';
  useEffect(() => onConnection(connection), [connection, onConnection]);
  return (
    <section className="pane" aria-label={`Canvas ${title}`}>
      <header className="pane-head">
        <h1>
          <span className="faint">▤</span> {title}
        </h1>
        <p className="faint topic">
          {snapshot === undefined || snapshot.others.length === 0
            ? 'Everybody in the workspace may write here.'
            : `Also here: ${snapshot.others.join(', ')}`}
        </p>
      </header>
      {snapshot?.error === undefined ? null : (
        <p className="notice warn" role="alert">
          {inWords(snapshot.error)} What you write stays here until then.
        </p>
      )}
      {canvas === undefined ? null : <SharedTextarea canvas={canvas} label={`Text of ${title}`} />}
    </section>
  );
}
