import {
  AfterQuery,
  ChangeBody,
  ChannelBody,
  LevelQuery,
  ReadBody,
  PurposeBody,
  RenameBody,
  TopicBody,
  channelScope,
  memberScope,
} from '@causeway/protocol';
import { highestTop, type ChannelState } from '@causeway/replica';
import { Type, type Static } from 'typebox';
import { IfMatch, change, changeChannel, etagOf } from './change.ts';
import {
  arrived,
  bodyMayBeAbsent,
  channelOf,
  execute,
  nonceOf,
  sceneOf,
  timeOf,
  type Routes,
  type Scene,
} from './command.ts';

const WorkspaceParams = Type.Object({ workspace: Type.String() });
const ChannelParams = Type.Object({ workspace: Type.String(), channel: Type.String() });
const BrowseQuery = Type.Object(
  {
    cursor: Type.Optional(Type.String({ description: 'what the page before gave as `next`' })),
    limit: Type.Optional(Type.String({ pattern: '^[1-9][0-9]{0,2}$' })),
    archived: Type.Optional(Type.Literal('true', { description: 'archived ones too' })),
  },
  { additionalProperties: false },
);
/** Channels of a page; those that the description of a workspace lists. */
const PAGE = { default: 100, most: 500 } as const;
const LISTED = 1_000;

/** The workspace and its channels, topics, purposes and read markers. */
export const channelRoutes: Routes = (server, parts) => {
  server.get<{ Params: Static<typeof WorkspaceParams> }>(
    '/workspaces/:workspace',
    { schema: { summary: 'A workspace and its channels', params: WorkspaceParams } },
    async (request, reply) => {
      const { workspace, replica, member } = await sceneOf(parts, request, request.params.workspace);
      const { id, slug, name, zone, home } = workspace;
      const state = await replica.strong.state(id);
      const channels = state.channelsOf(member).slice(0, LISTED).map(shown);
      void reply.header('etag', etagOf(state.version));
      return { id, slug, name, zone, home, channels, member, clock: replica.clock.read() };
    },
  );

  server.get<{ Params: Static<typeof WorkspaceParams>; Querystring: Static<typeof BrowseQuery> }>(
    '/workspaces/:workspace/channels',
    {
      schema: {
        summary: 'The channels that you may see, by name, and whether you joined them',
        params: WorkspaceParams,
        querystring: BrowseQuery,
      },
    },
    async (request, reply) => {
      const scene = await sceneOf(parts, request, request.params.workspace);
      const { cursor = '', limit = PAGE.default, archived } = request.query;
      const state = await scene.replica.strong.state(scene.workspace.id);
      const rest = state
        .channelsOf(scene.member)
        .filter((channel) => channel.slug > cursor && (archived === 'true' || !channel.archived));
      const page = rest.slice(0, Math.min(PAGE.most, Number(limit)));
      const joined = await joinedBy(scene);
      void reply.header('etag', etagOf(state.version));
      return {
        items: page.map((channel) => ({ ...shown(channel), joined: joined.has(channel.id) })),
        ...(rest.length > page.length ? { next: page.at(-1)!.slug } : {}),
      };
    },
  );

  server.post<{ Params: Static<typeof WorkspaceParams>; Body: ChannelBody }>(
    '/workspaces/:workspace/channels',
    {
      schema: {
        summary: 'Make a channel; its id is the id of the answer',
        params: WorkspaceParams,
        headers: IfMatch,
        body: ChannelBody,
      },
    },
    async (request, reply) => {
      const scene = await sceneOf(parts, request, request.params.workspace);
      const { slug, private: isPrivate = false, members = [] } = request.body;
      const deed = { kind: 'create-channel' as const, slug, private: isPrivate, members };
      return reply.code(201).send(await change(parts, scene, request, reply, deed));
    },
  );

  server.patch<{ Params: Static<typeof ChannelParams>; Body: RenameBody }>(
    '/workspaces/:workspace/channels/:channel',
    {
      schema: {
        summary: 'Give a channel another name',
        params: ChannelParams,
        headers: IfMatch,
        body: RenameBody,
      },
    },
    async (request, reply) => {
      const scene = await sceneOf(parts, request, request.params.workspace);
      const { slug } = request.body;
      return changeChannel(parts, scene, request, reply, (channel) => ({
        kind: 'rename-channel',
        channel,
        slug,
      }));
    },
  );

  for (const [method, on] of [
    ['PUT', true],
    ['DELETE', false],
  ] as const)
    server.route<{ Params: Static<typeof ChannelParams>; Body: ChangeBody }>({
      method,
      url: '/workspaces/:workspace/channels/:channel/archived',
      schema: {
        summary: on ? 'Archive a channel: it is read, and written no more' : 'Bring an archived channel back',
        params: ChannelParams,
        headers: IfMatch,
        body: ChangeBody,
      },
      preValidation: bodyMayBeAbsent,
      handler: async (request, reply) => {
        const scene = await sceneOf(parts, request, request.params.workspace);
        return changeChannel(parts, scene, request, reply, (channel) => ({
          kind: 'archive-channel',
          channel,
          on,
        }));
      },
    });

  server.get<{ Params: Static<typeof ChannelParams>; Querystring: AfterQuery }>(
    '/workspaces/:workspace/channels/:channel',
    {
      schema: {
        summary: 'Topic, purpose, newest segment and your read markers',
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
      const [held, own] = await scene.replica.cells.openAll([scope, mine]);
      const markers = [...own!.values()]
        .filter(({ key }) => key.startsWith(`read|${channel.id}|`))
        .map(({ key, v }) => {
          const [, , segment, client] = key.split('|');
          return { segment: Number(segment), client: Number(client), clock: Number.parseInt(v, 36) };
        });
      return {
        id: channel.id,
        slug: channel.slug,
        kind: channel.kind,
        archived: channel.archived,
        topic: held!.get('topic')?.value,
        purpose: held!.get('purpose')?.value,
        newestSegment: highestTop(held!.values()),
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
    Body: Static<typeof PurposeBody>;
  }>(
    '/workspaces/:workspace/channels/:channel/purpose',
    {
      schema: {
        summary: 'Set the purpose',
        params: ChannelParams,
        querystring: LevelQuery,
        body: PurposeBody,
      },
    },
    async (request) => {
      const scene = await sceneOf(parts, request, request.params.workspace);
      const channel = await channelOf(parts, scene, request.params.channel);
      const command = {
        kind: 'purpose' as const,
        workspace: scene.workspace.id,
        channel: channel.id,
        member: scene.member,
        nonce: nonceOf(request.body),
        purpose: request.body.purpose,
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

/** How a channel is shown to somebody who may see it. */
const shown = ({ id, slug, private: isPrivate, archived, members }: ChannelState) => ({
  id,
  slug,
  kind: isPrivate ? 'private' : 'public',
  archived,
  ...(isPrivate ? { members: members.size } : {}),
});

/** The channels that a member joined, as their own cells say. */
async function joinedBy({ replica, workspace, member }: Scene): Promise<Set<string>> {
  const cells = await replica.cells.open(memberScope(workspace.id, member));
  return new Set(
    [...cells.values()]
      .filter(({ key, value }) => key.startsWith('joined|') && value === true)
      .map(({ key }) => key.slice('joined|'.length)),
  );
}
