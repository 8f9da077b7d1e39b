import { AfterQuery, LevelQuery, ReadBody, TopicBody, channelScope, memberScope } from '@causeway/protocol';
import { highestTop } from '@causeway/replica';
import { Type, type Static } from 'typebox';
import { arrived, channelOf, execute, nonceOf, sceneOf, timeOf, type Routes } from './command.ts';

const WorkspaceParams = Type.Object({ workspace: Type.String() });
const ChannelParams = Type.Object({ workspace: Type.String(), channel: Type.String() });

/** The workspace and its channels, topics and read markers. */
export const channelRoutes: Routes = (server, parts) => {
  server.get<{ Params: Static<typeof WorkspaceParams> }>(
    '/workspaces/:workspace',
    { schema: { summary: 'A workspace and its channels', params: WorkspaceParams } },
    async (request) => {
      const { workspace, replica, member } = await sceneOf(parts, request, request.params.workspace);
      const { id, slug, name, zone, home, channels } = workspace;
      return { id, slug, name, zone, home, channels, member, clock: replica.clock.read() };
    },
  );

  server.get<{ Params: Static<typeof ChannelParams>; Querystring: AfterQuery }>(
    '/workspaces/:workspace/channels/:channel',
    {
      schema: {
        summary: 'Topic, newest segment and your read markers',
        params: ChannelParams,
        querystring: AfterQuery,
      },
    },
    async (request) => {
      const scene = await sceneOf(parts, request, request.params.workspace);
      const channel = await channelOf(parts, scene, request.params.channel);
      await arrived(request.query, scene);
      const scope = channelScope(scene.workspace.id, channel.id);
      const mine = memberScope(scene.workspace.id, scene.member);
      const cells = await scene.replica.loadCells([scope, mine]);
      const topic = cells.find((cell) => cell.scope === scope && cell.key === 'topic')?.value;
      const markers = cells
        .filter(({ key }) => key.startsWith(`read|${channel.id}|`))
        .map(({ key, v }) => {
          const [, , segment, client] = key.split('|');
          return { segment: Number(segment), client: Number(client), clock: Number.parseInt(v, 36) };
        });
      return {
        ...channel,
        topic,
        newestSegment: highestTop(cells.filter((cell) => cell.scope === scope)),
        markers,
      };
    },
  );

  server.put<{
    Params: Static<typeof ChannelParams>;
    Querystring: LevelQuery;
    Body: Static<typeof TopicBody>;
  }>(
    '/workspaces/:workspace/channels/:channel/topic',
    { schema: { summary: 'Set the topic', params: ChannelParams, querystring: LevelQuery, body: TopicBody } },
    async (request) => {
      const scene = await sceneOf(parts, request, request.params.workspace);
      const channel = await channelOf(parts, scene, request.params.channel);
      const command = {
        kind: 'topic' as const,
        workspace: scene.workspace.id,
        channel: channel.id,
        member: scene.member,
        nonce: nonceOf(request.body),
        topic: request.body.topic,
        v: timeOf(request.body, scene.replica),
      };
      return execute(parts, scene, command, { ...request.body, ...request.query });
    },
  );

  server.put<{
    Params: Static<typeof ChannelParams>;
    Querystring: LevelQuery;
    Body: Static<typeof ReadBody>;
  }>(
    '/workspaces/:workspace/channels/:channel/read',
    {
      schema: {
        summary: 'Move your read markers; they only grow',
        params: ChannelParams,
        querystring: LevelQuery,
        body: ReadBody,
      },
    },
    async (request) => {
      const scene = await sceneOf(parts, request, request.params.workspace);
      const channel = await channelOf(parts, scene, request.params.channel);
      const command = {
        kind: 'read' as const,
        workspace: scene.workspace.id,
        channel: channel.id,
        member: scene.member,
        nonce: nonceOf(request.body),
        markers: request.body.markers,
      };
      return execute(parts, scene, command, { ...request.body, ...request.query });
    },
  );
};
