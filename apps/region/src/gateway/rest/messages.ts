import {
  CausewayError,
  DeleteBody,
  EditBody,
  LIMITS,
  LevelQuery,
  PostBody,
  ReactBody,
} from '@causeway/protocol';
import type { ReachedChannel } from '@causeway/replica';
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
import { PageQuery, cursorOf, limitOf } from './pages.ts';

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

  server.get<{ Params: Static<typeof ChannelParams>; Querystring: PageQuery }>(
    `${CHANNEL}/messages`,
    { schema: { summary: 'Messages, newest first', params: ChannelParams, querystring: PageQuery } },
    async (request) => {
      const scene = await sceneOf(parts, request, request.params.workspace);
      const channel = await channelOf(parts, scene, request.params.channel);
      const limit = limitOf(request.query);
      const before = cursorOf(request.query);
      const after = tokenOf(request.query, scene);
      const page = await scene.replica.messages(scene.workspace.id, channel.id, before, limit, after);
      return { ...page, clock: scene.replica.clock.read() };
    },
  );

  server.get<{ Params: Static<typeof MessageParams>; Querystring: PageQuery }>(
    `${CHANNEL}/messages/:message/thread`,
    {
      schema: {
        summary: 'The replies to a message, newest first, and itself',
        params: MessageParams,
        querystring: PageQuery,
      },
    },
    async (request) => {
      const scene = await sceneOf(parts, request, request.params.workspace);
      const channel = await channelOf(parts, scene, request.params.channel);
      const page = await scene.replica.history.thread(
        scene.workspace.id,
        channel.id,
        request.params.message,
        cursorOf(request.query),
        limitOf(request.query),
        tokenOf(request.query, scene),
      );
      if (page === undefined)
        throw new CausewayError('not-found', 'there is no such message here, and nobody replied to it');
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
