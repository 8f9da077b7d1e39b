import type { Client } from '@causeway/client';
import { useChannels } from '@causeway/client/react';
import type { Canvas } from '@causeway/protocol';
import { useState } from 'react';
import type { Place } from '../place.ts';
import { Availability } from './availability.tsx';
import { ChannelBrowser } from './channel-browser.tsx';
import { ChannelLinks } from './channel-links.tsx';
import { NewCanvas } from './new-canvas.tsx';
import { People } from './people.tsx';
import { PlaceLink } from './place-link.tsx';

type Props = {
  client: Client;
  members: readonly string[];
  place: Place;
  go(place: Place): void;
  canvases: readonly Canvas[];
  created(canvas: Canvas): void;
};

/** Channels, people and canvases of the workspace, with what waits in each. */
export function Sidebar({ client, members, place, go, canvases, created }: Props) {
  const entries = useChannels(client);
  const [isBrowsing, setBrowsing] = useState(false);
  const { canvas: _, thread: __, ...outside } = place;
  const open = (channel: string): void => {
    setBrowsing(false);
    go({ ...outside, channel });
  };
  return (
    <nav className="sidebar" aria-label="Channels, people and canvases">
      <h2>Channels</h2>
      <ChannelLinks entries={entries} place={place} outside={outside} go={go} />
      <button type="button" className="more" onClick={() => setBrowsing(true)}>
        Browse channels
      </button>
      {isBrowsing ? (
        <ChannelBrowser client={client} entries={entries} open={open} close={() => setBrowsing(false)} />
      ) : null}
      <h2>People</h2>
      <People client={client} members={members} entries={entries} place={place} outside={outside} go={go} />
      <h2>Canvases</h2>
      <ul>
        {canvases.map(({ id, title }) => (
          <li key={id}>
            <PlaceLink to={{ ...outside, canvas: id }} go={go} isHere={place.canvas === id}>
              <span className="faint">▤</span> <span className="label">{title}</span>
            </PlaceLink>
          </li>
        ))}
      </ul>
      <NewCanvas client={client} created={created} />
      <Availability client={client} />
    </nav>
  );
}
