import {
  AfterQuery,
  LevelQuery,
  ScheduleBody,
  SwitchBody,
  commandId,
  memberScope,
  type Scheduled,
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
  type Routes,
} from './command.ts';

const Params = Type.Object({ workspace: Type.String() });
const PostParams = Type.Object({
  ...Params.properties,
  post: Type.String({ pattern: '^[A-Za-z0-9_-]{22}$' }),
});
const SCHEDULED = '/workspaces/:workspace/scheduled';

/** Messages that are sent later. */
export const scheduledRoutes: Routes = (server, parts) => {
  server.get<{ Params: Static<typeof Params>; Querystring: AfterQuery }>(
    SCHEDULED,
    {
      schema: {
        summary: 'Your scheduled messages, the next one first, and those that could not be sent',
        params: Params,
        querystring: AfterQuery,
      },
    },
    async (request) => {
      const scene = await sceneOf(parts, request, request.params.workspace);
      await arrived(request.query, scene);
      const cells = await scene.replica.loadCells([memberScope(scene.workspace.id, scene.member)]);
      const items = cells
        .filter(({ key }) => key.startsWith('scheduled|'))
        .flatMap(({ key, value }) => {
          const scheduled = value as Scheduled | null;
          if (scheduled === null || 'sent' in scheduled) return [];
          const { post, at, failed } = scheduled;
          const { channel, body, thread, also } = post;
          return { id: key.slice('scheduled|'.length), at, channel, body, thread, also, failed };
        })
        .sort((a, b) => a.at - b.at);
      return { items };
    },
  );

  server.post<{ Params: Static<typeof Params>; Querystring: LevelQuery; Body: Static<typeof ScheduleBody> }>(
    SCHEDULED,
    {
      schema: {
        summary: 'Schedule a message; it has its id from now on',
        params: Params,
        querystring: LevelQuery,
        body: ScheduleBody,
      },
    },
    async (request, reply) => {
      const scene = await sceneOf(parts, request, request.params.workspace);
      const channel = await channelOf(parts, scene, request.body.channel);
      const { body, thread, also, at, postNonce } = request.body;
      const [workspace, member] = [scene.workspace.id, scene.member];
      const post = {
        kind: 'post' as const,
        workspace,
        channel: channel.id,
        member,
        nonce: nonceOf(postNonce === undefined ? {} : { nonce: postNonce }),
        body,
        ...(thread === undefined ? {} : { thread }),
        ...(also === undefined ? {} : { also }),
      };
      const command = {
        kind: 'schedule' as const,
        workspace,
        member,
        nonce: nonceOf(request.body),
        post,
        at,
        v: timeOf(request.body, scene.replica),
      };
      const ack = await execute(parts, scene, command, { ...request.body, ...request.query });
      return reply.code(201).send({ ...ack, post: commandId(post) });
    },
  );

  server.delete<{
    Params: Static<typeof PostParams>;
    Querystring: LevelQuery;
    Body: Static<typeof SwitchBody>;
  }>(
    `${SCHEDULED}/:post`,
    {
      schema: { summary: 'Do not send it', params: PostParams, querystring: LevelQuery, body: SwitchBody },
      preValidation: bodyMayBeAbsent,
    },
    async (request) => {
      const scene = await sceneOf(parts, request, request.params.workspace);
      const command = {
        kind: 'unschedule' as const,
        workspace: scene.workspace.id,
        member: scene.member,
        nonce: nonceOf(request.body),
        post: request.params.post,
        v: timeOf(request.body, scene.replica),
      };
      return execute(parts, scene, command, { ...request.body, ...request.query });
    },
  );
};
