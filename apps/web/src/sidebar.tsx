import type { Client } from '@causeway/client';
import type { Canvas } from '@causeway/protocol';
import { useState, type MouseEvent, type ReactNode } from 'react';
import { addressOf, type Place } from './place.ts';

type Props = {
  client: Client;
  place: Place;
  go(place: Place): void;
  canvases: readonly Canvas[];
  created(canvas: Canvas): void;
};

/** Channels and canvases of the workspace. */
export function Sidebar({ client, place, go, canvases, created }: Props) {
  const { canvas: _, ...outside } = place;
  return (
    <nav className="sidebar" aria-label="Channels and canvases">
      <h2>Channels</h2>
      <ul>
        {client.workspace.channels.map(({ id, slug }) => (
          <li key={id}>
            <PlaceLink
              to={{ ...outside, channel: slug }}
              go={go}
              isHere={place.canvas === undefined && (place.channel === slug || place.channel === id)}
            >
              <span className="faint">#</span> {slug}
            </PlaceLink>
          </li>
        ))}
      </ul>
      <h2>Canvases</h2>
      <ul>
        {canvases.map(({ id, title }) => (
          <li key={id}>
            <PlaceLink to={{ ...place, canvas: id }} go={go} isHere={place.canvas === id}>
              <span className="faint">▤</span> {title}
            </PlaceLink>
          </li>
        ))}
      </ul>
      <NewCanvas client={client} created={created} />
    </nav>
  );
}

type LinkProps = { to: Place; go(place: Place): void; isHere: boolean; children: ReactNode };

/** A real link, so that it can be opened in another window; a plain click stays in this one. */
function PlaceLink({ to, go, isHere, children }: LinkProps) {
  const onClick = (event: MouseEvent): void => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    go(to);
  };
  return (
    <a href={addressOf(to)} onClick={onClick} aria-current={isHere ? 'page' : undefined}>
      {children}
    </a>
  );
}

function NewCanvas({ client, created }: Pick<Props, 'client' | 'created'>) {
  const [title, setTitle] = useState('');
  const [isBusy, setBusy] = useState(false);
  const create = async (): Promise<void> => {
    if (title.trim() === '') return;
    setBusy(true);
    try {
      created(await client.createCanvas(title.trim()));
      setTitle('');
    } catch {
      // What went wrong stands below the messages, with a way to try again.
    }
    setBusy(false);
  };
  return (
    <form
      className="new-canvas"
      onSubmit={(event) => {
        event.preventDefault();
        void create();
      }}
    >
      <input
        aria-label="Title of a new canvas"
        placeholder="New canvas"
        maxLength={250}
        value={title}
        onChange={(event) => setTitle(event.target.value)}
      />
      <button type="submit" disabled={title.trim() === '' || isBusy} aria-label="Create canvas">
        +
      </button>
    </form>
  );
}
