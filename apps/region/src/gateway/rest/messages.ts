import {
  AfterQuery,
  CausewayError,
  DeleteBody,
  EditBody,
  LIMITS,
  LevelQuery,
  PostBody,
  ReactBody,
} from '@causeway/protocol';
import type { Before, ReachedChannel } from '@causeway/replica';
import { Type, type Static } from 'typebox';
import {
  bodyMayBeAbsent,
  channelOf,
  execute,
  nonceOf,
  sceneOf,
  timeOf,
  tokenOf,
  type Routes,
  type Scene,
} from './command.ts';

export const CHANNEL = '/workspaces/:workspace/channels/:channel';
export const ChannelParams = Type.Object({ workspace: Type.String(), channel: Type.String() });
export const MessageParams = Type.Object({
  ...ChannelParams.properties,
  message: Type.String({ pattern: '^[A-Za-z0-9_-]{22}$' }),
});
const ReactionParams = Type.Object({
  ...MessageParams.properties,
  emoji: Type.String({ minLength: 1, maxLength: LIMITS.emojiChars }),
});
const PageQuery = Type.Object(
  {
    ...AfterQuery.properties,
    cursor: Type.Optional(Type.String()),
    limit: Type.Optional(Type.String({ pattern: '^[1-9][0-9]{0,2}$' })),
  },
  { additionalProperties: false },
);
/** The place of the last message of a page: its `t` and its id. */
const CURSOR = /^(?<t>[0-9a-z]{11}\.[0-9a-z]{1,11})~(?<id>[A-Za-z0-9_-]{22})$/;
const PAGE = { default: 50, most: 200 } as const;

/** Post, read, edit, delete and react. */
export const messageRoutes: Routes = (server, parts) => {
  server.post<{ Params: Static<typeof ChannelParams>; Querystring: LevelQuery; Body: PostBody }>(
    `${CHANNEL}/messages`,
    { schema: { summary: 'Post a message', params: ChannelParams, querystring: LevelQuery, body: PostBody } },
    async (request, reply) => {
      const scene = await sceneOf(parts, request, request.params.workspace);
      const channel = await channelOf(parts, scene, request.params.channel);
      const { body, thread, also } = request.body;
      const command = {
        kind: 'post' as const,
        workspace: scene.workspace.id,
        channel: channel.id,
        member: scene.member,
        nonce: nonceOf(request.body),
        body,
        ...(thread === undefined ? {} : { thread }),
        ...(also === undefined ? {} : { also }),
      };
      return reply
        .code(201)
        .send(await execute(parts, scene, command, { ...request.body, ...request.query }));
    },
  );

  server.get<{ Params: Static<typeof ChannelParams>; Querystring: Static<typeof PageQuery> }>(
    `${CHANNEL}/messages`,
    { schema: { summary: 'Messages, newest first', params: ChannelParams, querystring: PageQuery } },
    async (request) => {
      const scene = await sceneOf(parts, request, request.params.workspace);
      const channel = await channelOf(parts, scene, request.params.channel);
      const limit = Math.min(PAGE.most, Number(request.query.limit ?? PAGE.default));
      const before = cursorOf(request.query.cursor);
      const after = tokenOf(request.query, scene);
      const page = await scene.replica.messages(scene.workspace.id, channel.id, before, limit, after);
      return { ...page, clock: scene.replica.clock.read() };
    },
  );

  server.patch<{
    Params: Static<typeof MessageParams>;
    Querystring: LevelQuery;
    Body: Static<typeof EditBody>;
  }>(
    `${CHANNEL}/messages/:message`,
    { schema: { summary: 'Edit a message', params: MessageParams, querystring: LevelQuery, body: EditBody } },
    async (request) => {
      const scene = await sceneOf(parts, request, request.params.workspace);
      const command = {
        kind: 'edit' as const,
        ...placeOf(scene, await channelOf(parts, scene, request.params.channel), request.params.message),
        nonce: nonceOf(request.body),
        body: request.body.body,
        v: timeOf(request.body, scene.replica),
      };
      return execute(parts, scene, command, { ...request.body, ...request.query });
    },
  );

  server.delete<{
    Params: Static<typeof MessageParams>;
    Querystring: LevelQuery;
    Body: Static<typeof DeleteBody>;
  }>(
    `${CHANNEL}/messages/:message`,
    {
      schema: {
        summary: 'Delete a message for good',
        params: MessageParams,
        querystring: LevelQuery,
        body: DeleteBody,
      },
      preValidation: bodyMayBeAbsent,
    },
    async (request) => {
      const scene = await sceneOf(parts, request, request.params.workspace);
      const command = {
        kind: 'delete' as const,
        ...placeOf(scene, await channelOf(parts, scene, request.params.channel), request.params.message),
        nonce: nonceOf(request.body),
      };
      return execute(parts, scene, command, { ...request.body, ...request.query });
    },
  );

  for (const [method, on] of [
    ['PUT', true],
    ['DELETE', false],
  ] as const)
    server.route<{
      Params: Static<typeof ReactionParams>;
      Querystring: LevelQuery;
      Body: Static<typeof ReactBody>;
    }>({
      method,
      url: `${CHANNEL}/messages/:message/reactions/:emoji`,
      schema: {
        summary: on ? 'React' : 'Take a reaction back',
        params: ReactionParams,
        querystring: LevelQuery,
        body: ReactBody,
      },
      preValidation: bodyMayBeAbsent,
      handler: async (request) => {
        const scene = await sceneOf(parts, request, request.params.workspace);
        const command = {
          kind: 'react' as const,
          ...placeOf(scene, await channelOf(parts, scene, request.params.channel), request.params.message),
          nonce: nonceOf(request.body),
          emoji: request.params.emoji,
          on,
          v: timeOf(request.body, scene.replica),
        };
        return execute(parts, scene, command, { ...request.body, ...request.query });
      },
    });
};

function placeOf(scene: Scene, channel: ReachedChannel, message: string) {
  return { workspace: scene.workspace.id, channel: channel.id, member: scene.member, message };
}

/** Clients treat a cursor as opaque. */
function cursorOf(cursor: string | undefined): Before | undefined {
  if (cursor === undefined) return undefined;
  const { t, id } = CURSOR.exec(cursor)?.groups ?? {};
  if (t === undefined || id === undefined)
    throw new CausewayError('invalid-request', 'the cursor is not one that a page gave; start without one');
  return { t, id };
}
