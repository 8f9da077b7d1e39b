import type { Client, ConnectionStatus } from '@causeway/client';
import { useCallback, useEffect, useState } from 'react';
import { CanvasPane } from './canvas/canvas-pane.tsx';
import { useCanvases } from './canvas/use-canvases.ts';
import { ChannelPane } from './chat/channel-pane.tsx';
import { usePlace, type Place } from './place.ts';
import { NotSignedIn } from './session/not-signed-in.tsx';
import { useObservable } from './session/use-observable.ts';
import { useSession, type Session } from './session/use-session.ts';
import { Sidebar } from './sidebar.tsx';
import { TopBar } from './top-bar.tsx';
import type { World } from './world/control.ts';
import { useWorld } from './world/use-world.ts';
import { WorldPanel } from './world/world-panel.tsx';

/** The page: asks the local world what there is, then shows one place of it. */
export function App() {
  const [view, look] = useWorld();
  const [place, go] = usePlace();
  if (view.world === undefined)
    return (
      <main className="alone">
        <p role={view.error === undefined ? 'status' : 'alert'}>{view.error ?? 'Looking for the world …'}</p>
      </main>
    );
  const here = whereIn(view.world, place);
  return (
    <Window world={view.world} place={here} go={go}>
      <WorldPanel view={view} here={here.region} look={look} />
    </Window>
  );
}

type Here = Place & Required<Pick<Place, 'region' | 'workspace' | 'member'>>;

/** What the address leaves open is filled in: the first workspace, a region of its zone, its first member. */
function whereIn({ regions, workspaces, members }: World, place: Place): Here {
  const workspace =
    workspaces.find(({ id, slug }) => id === place.workspace || slug === place.workspace) ?? workspaces[0]!;
  const region =
    regions.find(({ region }) => region === place.region) ??
    regions.find(({ zones }) => zones.includes(workspace.zone)) ??
    regions[0]!;
  return {
    ...place,
    region: region.region,
    workspace: workspace.id,
    member: place.member ?? members[0]!,
    channel: place.channel ?? workspace.channels[0]!.slug,
  };
}

type WindowProps = { world: World; place: Here; go(place: Place): void; children: React.ReactNode };

function Window({ world, place, go, children }: WindowProps) {
  const url = world.regions.find(({ region }) => region === place.region)?.url;
  const session = useSession(url, place.workspace, place.member);
  const [pane, setPane] = useState<ConnectionStatus>('connecting');
  const client = session.state === 'signed-in' ? session.client : undefined;
  const outbox = useObservable(client?.outbox) ?? [];

  useEffect(() => {
    document.title = `${place.canvas === undefined ? `#${place.channel}` : 'Canvas'} · ${place.region} · Causeway`;
  }, [place.canvas, place.channel, place.region]);

  return (
    <div className="window">
      <TopBar world={world} place={place} go={go} connection={connectionOf(session, pane)} outbox={outbox} />
      {client === undefined ? (
        <NotSignedIn session={session} place={place} elsewhere={otherRegions(world, place)} />
      ) : (
        <Workspace client={client} place={place} go={go} onConnection={setPane} />
      )}
      {children}
    </div>
  );
}

function connectionOf({ state, ...more }: Session, pane: ConnectionStatus): ConnectionStatus {
  if (state === 'signed-in') return pane;
  if (state === 'refused') return 'stopped';
  return 'error' in more ? 'reconnecting' : 'connecting';
}

function otherRegions({ workspaces, regions }: World, place: Here): string[] {
  const zone = workspaces.find(({ id }) => id === place.workspace)?.zone ?? '';
  return regions
    .filter(({ region, zones }) => zones.includes(zone) && region !== place.region)
    .map(({ region }) => region);
}

type WorkspaceProps = {
  client: Client;
  place: Here;
  go(place: Place): void;
  onConnection(connection: ConnectionStatus): void;
};

function Workspace({ client, place, go, onConnection }: WorkspaceProps) {
  const [canvases, look] = useCanvases(client);
  const { canvas, channel = '' } = place;
  const created = useCallback(
    ({ id }: { id: string }) => {
      look();
      go({ ...place, canvas: id });
    },
    [look, go, place],
  );
  return (
    <>
      <Sidebar client={client} place={place} go={go} canvases={canvases} created={created} />
      <main>
        {canvas === undefined &&
        !client.workspace.channels.some(({ id, slug }) => [id, slug].includes(channel)) ? (
          <p className="notice warn" role="alert">
            There is no channel “{channel}” here. Choose one on the left.
          </p>
        ) : canvas === undefined ? (
          <ChannelPane key={channel} client={client} channel={channel} onConnection={onConnection} />
        ) : (
          <CanvasPane
            key={canvas}
            client={client}
            id={canvas}
            title={canvases.find(({ id }) => id === canvas)?.title ?? 'Canvas'}
            onConnection={onConnection}
          />
        )}
      </main>
    </>
  );
}
