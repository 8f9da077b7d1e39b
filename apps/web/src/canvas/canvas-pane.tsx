import type { CanvasSnapshot, Client, ConnectionStatus } from '@causeway/client';
import { useObservable, useOpened } from '@causeway/client/react';
import { useEffect, useState } from 'react';
import { inWords } from '../words.ts';
import { CanvasEditor } from './canvas-editor.tsx';
import { CanvasFailures } from './canvas-failures.tsx';
import { CanvasTitle } from './canvas-title.tsx';
import { PeopleHere } from './people-here.tsx';
import { Sharing } from './sharing.tsx';
import { useAbout } from './use-about.ts';
import { VersionsPanel } from './versions-panel.tsx';

type Props = {
  client: Client;
  id: string;
  title: string;
  /** Something about it that the list of canvases shows has changed. */
  changed(): void;
  onConnection(connection: ConnectionStatus): void;
};

/** One canvas: its text, who is at it, its versions, and what others may do with it. */
export default function CanvasPane({ client, id, title, changed, onConnection }: Props) {
  const canvas = useOpened(client, (owner) => owner.openCanvas(id));
  const snapshot = useObservable(canvas);
  const [{ versions, shares }, lookAfter] = useAbout(client, id);
  const [showsVersions, setShowsVersions] = useState(false);
  const connection = snapshot?.connection ?? 'connecting';
  useEffect(() => onConnection(connection), [connection, onConnection]);

  useWarning(snapshot?.isSaved === false && snapshot.right === 'edit');

  const mayEdit = snapshot?.right === 'edit' && connection !== 'stopped';
  const retitle = (text: string) => client.retitleCanvas(id, text).then(changed);
  const keep = (name: string) => client.keepVersion(id, name).then(({ token }) => lookAfter(token));
  const restore = (version: string) => client.restoreVersion(id, version);
  const share = (right: 'edit' | 'view' | 'none') =>
    client.shareCanvas(id, '*', right).then(({ token }) => lookAfter(token));

  return (
    <section className="pane" aria-label={`Canvas ${title}`}>
      <header className="pane-head canvas-head">
        <span className="faint" aria-hidden="true">
          ▤
        </span>
        <CanvasTitle title={title} retitle={mayEdit ? retitle : undefined} />
        {snapshot?.right === 'view' ? <span className="tag">view only</span> : null}
        {mayEdit && !snapshot.isSaved ? <span className="faint unsaved">Not saved yet</span> : null}
        <span className="spacer" />
        {snapshot === undefined ? null : <PeopleHere awareness={snapshot.awareness} member={client.member} />}
        <Sharing shares={shares} member={client.member} share={share} />
        <button type="button" aria-expanded={showsVersions} onClick={() => setShowsVersions(!showsVersions)}>
          Versions
        </button>
      </header>
      <Trouble snapshot={snapshot} />
      <div className="canvas-body">
        {snapshot === undefined || !isToBeSeen(snapshot) ? (
          <p className="edge faint">{snapshot?.error === undefined ? 'Opening …' : null}</p>
        ) : (
          <CanvasEditor
            key={snapshot.doc.guid}
            doc={snapshot.doc}
            awareness={snapshot.awareness}
            member={client.member}
            isEditable={mayEdit}
          />
        )}
        {showsVersions ? (
          <VersionsPanel
            versions={versions}
            keep={mayEdit ? keep : undefined}
            restore={mayEdit ? restore : undefined}
          />
        ) : null}
      </div>
      <CanvasFailures client={client} canvas={id} />
    </section>
  );
}

/** A region has shown it, and it was not taken away since. */
const isToBeSeen = ({ right, connection, error }: CanvasSnapshot): boolean =>
  right !== undefined && connection !== 'connecting' && error?.code !== 'forbidden';

/** The browser asks before it leaves a page with something that no region has. */
function useWarning(isUnsaved: boolean): void {
  useEffect(() => {
    if (!isUnsaved) return;
    const over = new AbortController();
    addEventListener('beforeunload', (event) => event.preventDefault(), { signal: over.signal });
    return () => over.abort();
  }, [isUnsaved]);
}

function Trouble({ snapshot }: { snapshot: CanvasSnapshot | undefined }) {
  if (snapshot?.error === undefined) return null;
  return (
    <p className="notice warn" role="alert">
      {inWords(snapshot.error)}
      {snapshot.right === 'edit' && snapshot.connection !== 'stopped'
        ? ' What you write is sent then; leave this page open.'
        : null}
    </p>
  );
}
