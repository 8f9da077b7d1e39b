import {
  AfterQuery,
  AvailabilityBody,
  DraftBody,
  LevelQuery,
  SwitchBody,
  UnreadBody,
  memberScope,
  type Cell,
} from '@causeway/protocol';
import { Type, type Static } from 'typebox';
import {
  arrived,
  bodyMayBeAbsent,
  channelOf,
  execute,
  nonceOf,
  sceneOf,
  timeOf,
  type Repeatable,
  type Routes,
  type Scene,
} from './command.ts';
import { CHANNEL, ChannelParams, MessageParams } from './messages.ts';

const WorkspaceParams = Type.Object({ workspace: Type.String() });
const SWITCHES = [
  { kind: 'join', path: 'joined', on: 'Join a channel', off: 'Leave a channel' },
  { kind: 'mute', path: 'muted', on: 'Mute a channel', off: 'Hear of a channel again' },
  { kind: 'star', path: 'starred', on: 'Star a channel', off: 'Take the star away' },
] as const;

/** What a member alone sees: channels joined, muted and starred, threads followed, drafts, availability. */
export const personalRoutes: Routes = (server, parts) => {
  for (const { kind, path, ...words } of SWITCHES)
    for (const [method, on] of METHODS)
      server.route<{
        Params: Static<typeof ChannelParams>;
        Querystring: LevelQuery;
        Body: Static<typeof SwitchBody>;
      }>({
        method,
        url: `${CHANNEL}/${path}`,
        schema: {
          summary: on ? words.on : words.off,
          params: ChannelParams,
          querystring: LevelQuery,
          body: SwitchBody,
        },
        preValidation: bodyMayBeAbsent,
        handler: async (request) => {
          const scene = await sceneOf(parts, request, request.params.workspace);
          const { id: channel } = await channelOf(parts, scene, request.params.channel);
          const command = { kind, ...frameOf(scene, request.body), channel, on };
          return execute(parts, scene, command, { ...request.body, ...request.query });
        },
      });

  for (const [method, on] of METHODS)
    server.route<{
      Params: Static<typeof MessageParams>;
      Querystring: LevelQuery;
      Body: Static<typeof SwitchBody>;
    }>({
      method,
      url: `${CHANNEL}/messages/:message/follow`,
      schema: {
        summary: on ? 'Follow the thread of a message' : 'Follow it no longer',
        params: MessageParams,
        querystring: LevelQuery,
        body: SwitchBody,
      },
      preValidation: bodyMayBeAbsent,
      handler: async (request) => {
        const scene = await sceneOf(parts, request, request.params.workspace);
        const { id: channel } = await channelOf(parts, scene, request.params.channel);
        const { message } = request.params;
        const command = { kind: 'follow' as const, ...frameOf(scene, request.body), channel, message, on };
        return execute(parts, scene, command, { ...request.body, ...request.query });
      },
    });

  server.put<{
    Params: Static<typeof ChannelParams>;
    Querystring: LevelQuery;
    Body: Static<typeof UnreadBody>;
  }>(
    `${CHANNEL}/unread`,
    {
      schema: {
        summary: 'Mark as unread from a message on; without one no longer',
        params: ChannelParams,
        querystring: LevelQuery,
        body: UnreadBody,
      },
      preValidation: bodyMayBeAbsent,
    },
    async (request) => {
      const scene = await sceneOf(parts, request, request.params.workspace);
      const { id: channel } = await channelOf(parts, scene, request.params.channel);
      const { message } = request.body;
      const command = {
        kind: 'unread' as const,
        ...frameOf(scene, request.body),
        channel,
        ...(message === undefined ? {} : { message }),
      };
      return execute(parts, scene, command, { ...request.body, ...request.query });
    },
  );

  server.put<{
    Params: Static<typeof ChannelParams>;
    Querystring: LevelQuery;
    Body: Static<typeof DraftBody>;
  }>(
    `${CHANNEL}/draft`,
    {
      schema: {
        summary: 'Keep a draft; an empty body clears it',
        params: ChannelParams,
        querystring: LevelQuery,
        body: DraftBody,
      },
    },
    async (request) => {
      const scene = await sceneOf(parts, request, request.params.workspace);
      const { id: channel } = await channelOf(parts, scene, request.params.channel);
      const { body, thread } = request.body;
      const command = {
        kind: 'draft' as const,
        ...frameOf(scene, request.body),
        channel,
        body,
        ...(thread === undefined ? {} : { thread }),
      };
      return execute(parts, scene, command, { ...request.body, ...request.query });
    },
  );

  server.put<{
    Params: Static<typeof WorkspaceParams>;
    Querystring: LevelQuery;
    Body: Static<typeof AvailabilityBody>;
  }>(
    '/workspaces/:workspace/availability',
    {
      schema: {
        summary: 'Be away by hand, undisturbed, or as your sessions say',
        params: WorkspaceParams,
        querystring: LevelQuery,
        body: AvailabilityBody,
      },
    },
    async (request) => {
      const scene = await sceneOf(parts, request, request.params.workspace);
      const { mode, until } = request.body;
      const command = {
        kind: 'availability' as const,
        ...frameOf(scene, request.body),
        mode,
        ...(until === undefined ? {} : { until }),
      };
      return execute(parts, scene, command, { ...request.body, ...request.query });
    },
  );

  server.get<{ Params: Static<typeof WorkspaceParams>; Querystring: AfterQuery }>(
    '/workspaces/:workspace/me',
    {
      schema: {
        summary: 'Your channels, followed threads and availability',
        params: WorkspaceParams,
        querystring: AfterQuery,
      },
    },
    async (request) => {
      const scene = await sceneOf(parts, request, request.params.workspace);
      await arrived(request.query, scene);
      return stateOf(scene.member, await ownCells(scene));
    },
  );

  server.get<{ Params: Static<typeof WorkspaceParams>; Querystring: AfterQuery }>(
    '/workspaces/:workspace/drafts',
    { schema: { summary: 'Your drafts, newest first', params: WorkspaceParams, querystring: AfterQuery } },
    async (request) => {
      const scene = await sceneOf(parts, request, request.params.workspace);
      await arrived(request.query, scene);
      const items = (await ownCells(scene))
        .filter(({ key, value }) => key.startsWith('draft|') && value !== null)
        .sort((a, b) => (a.v < b.v ? 1 : -1))
        .map(({ key, value }) => {
          const [, channel, thread] = key.split('|');
          return { channel, ...(thread === undefined ? {} : { thread }), body: value };
        });
      return { items };
    },
  );
};

const METHODS = [
  ['PUT', true],
  ['DELETE', false],
] as const;

const frameOf = ({ workspace, member, replica }: Scene, body: Repeatable) => ({
  workspace: workspace.id,
  member,
  nonce: nonceOf(body),
  v: timeOf(body, replica),
});

const ownCells = ({ replica, workspace, member }: Scene): Promise<Cell[]> =>
  replica.loadCells([memberScope(workspace.id, member)]);

function stateOf(member: string, cells: readonly Cell[]) {
  const named = (prefix: string): string[] =>
    cells
      .filter(({ key, value }) => key.startsWith(prefix) && value === true)
      .map(({ key }) => key.slice(prefix.length));
  const valued = (prefix: string) =>
    cells
      .filter(({ key, value }) => key.startsWith(prefix) && value !== null)
      .map(({ key, value }) => [key.slice(prefix.length), value] as const);
  return {
    member,
    joined: named('joined|'),
    muted: named('muted|'),
    starred: named('starred|'),
    follows: named('follow|').map((place) => {
      const [channel, message] = place.split('|');
      return { channel, message };
    }),
    unread: Object.fromEntries(valued('unread|')),
    direct: valued('direct|').map(([channel, members]) => ({ channel, members })),
    availability: cells.find(({ key }) => key === 'availability')?.value ?? { mode: 'auto' },
  };
}
