import { DirectBody, LevelQuery, directChannel } from '@causeway/protocol';
import { Type, type Static } from 'typebox';
import { execute, nonceOf, sceneOf, timeOf, type Routes } from './command.ts';

const Params = Type.Object({ workspace: Type.String() });

/** Conversations of two to nine members. */
export const directRoutes: Routes = (server, parts) => {
  server.post<{ Params: Static<typeof Params>; Querystring: LevelQuery; Body: Static<typeof DirectBody> }>(
    '/workspaces/:workspace/direct',
    {
      schema: {
        summary: 'Open the direct channel of some members, you among them',
        params: Params,
        querystring: LevelQuery,
        body: DirectBody,
      },
    },
    async (request, reply) => {
      const scene = await sceneOf(parts, request, request.params.workspace);
      const { members } = request.body;
      const command = {
        kind: 'direct' as const,
        workspace: scene.workspace.id,
        member: scene.member,
        nonce: nonceOf(request.body),
        members,
        v: timeOf(request.body, scene.replica),
      };
      const ack = await execute(parts, scene, command, { ...request.body, ...request.query });
      return reply.code(201).send({ ...ack, channel: directChannel(scene.workspace.id, members) });
    },
  );
};
