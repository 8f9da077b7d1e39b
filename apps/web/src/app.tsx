import type { ChannelEntry, Client, ConnectionStatus } from '@causeway/client';
import { useChannels, useObservable } from '@causeway/client/react';
import { Suspense, lazy, useCallback, useEffect, useState } from 'react';
import { useCanvases } from './canvas/use-canvases.ts';
import { ChannelPane } from './chat/channel-pane.tsx';
import { titleOf } from './chat/channel-title.ts';
import { usePlace, type Place } from './place.ts';
import { NotSignedIn } from './session/not-signed-in.tsx';
import { useIdle } from './session/use-idle.ts';
import { useSession, type Session } from './session/use-session.ts';
import { Sidebar } from './sidebar/sidebar.tsx';
import { TopBar } from './top-bar.tsx';
import type { World } from './world/control.ts';
import { useWorld } from './world/use-world.ts';
import { WorldPanel } from './world/world-panel.tsx';

/** The editor is half of the page, and only canvases need it. */
const CanvasPane = lazy(() => import('./canvas/canvas-pane.tsx'));

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

  return (
    <div className="window">
      <TopBar world={world} place={place} go={go} connection={connectionOf(session, pane)} outbox={outbox} />
      {client === undefined ? (
        <NotSignedIn session={session} place={place} elsewhere={otherRegions(world, place)} />
      ) : (
        <Workspace client={client} members={world.members} place={place} go={go} onConnection={setPane} />
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
  members: readonly string[];
  place: Here;
  go(place: Place): void;
  onConnection(connection: ConnectionStatus): void;
};

function Workspace({ client, members, place, go, onConnection }: WorkspaceProps) {
  const [canvases, look] = useCanvases(client);
  const entries = useChannels(client);
  const { canvas, channel, thread } = place;
  const entry = entries.find(({ id }) => id === channel) ?? entries.find(({ slug }) => slug === channel);
  useIdle(client);
  useTitle(place, entry, entries);
  const created = useCallback(
    ({ id }: { id: string }) => {
      look();
      go({ ...place, canvas: id });
    },
    [look, go, place],
  );
  const openThread = useCallback(
    (root: string | undefined) => {
      const { thread: _, ...outside } = place;
      go(root === undefined ? outside : { ...outside, thread: root });
    },
    [go, place],
  );
  return (
    <>
      <Sidebar
        client={client}
        members={members}
        place={place}
        go={go}
        canvases={canvases}
        created={created}
      />
      <main>
        {canvas !== undefined ? (
          <Suspense fallback={<p className="edge faint">Opening …</p>}>
            <CanvasPane
              key={canvas}
              client={client}
              id={canvas}
              title={canvases.find(({ id }) => id === canvas)?.title ?? 'Canvas'}
              changed={look}
              onConnection={onConnection}
            />
          </Suspense>
        ) : entry === undefined ? (
          <p className="notice warn" role="alert">
            There is no channel “{channel}” here. Choose one on the left.
          </p>
        ) : (
          <ChannelPane
            key={entry.id}
            client={client}
            entry={entry}
            {...(thread === undefined ? {} : { thread })}
            openThread={openThread}
            onConnection={onConnection}
          />
        )}
      </main>
    </>
  );
}

/** The tab says where it is, and how many mentions wait. */
function useTitle(place: Here, entry: ChannelEntry | undefined, entries: readonly ChannelEntry[]): void {
  const where = place.canvas !== undefined ? 'Canvas' : entry === undefined ? 'Nowhere' : titleOf(entry);
  const waiting = entries.reduce((sum, { mentions }) => sum + mentions, 0);
  useEffect(() => {
    document.title = `${waiting > 0 ? `(${waiting}) ` : ''}${where} · ${place.region} · Causeway`;
  }, [waiting, where, place.region]);
}
