import { AfterQuery } from '@causeway/protocol';
import { Type, type Static } from 'typebox';
import { arrived, sceneOf, tokenOf, type Routes } from './command.ts';
import { PageQuery, cursorOf, limitOf } from './pages.ts';

const WorkspaceParams = Type.Object({ workspace: Type.String() });

/** What waits for the asker: unread messages and mentions, over all channels. */
export const attentionRoutes: Routes = (server, parts) => {
  server.get<{ Params: Static<typeof WorkspaceParams>; Querystring: AfterQuery }>(
    '/workspaces/:workspace/unread',
    {
      schema: {
        summary: 'How much is unread in each of your channels',
        params: WorkspaceParams,
        querystring: AfterQuery,
      },
    },
    async (request) => {
      const scene = await sceneOf(parts, request, request.params.workspace);
      await arrived(request.query, scene);
      const channels = (await parts.access.channels(scene, scene.member)).filter(({ isJoined }) => isJoined);
      const badges = await scene.replica.badges(
        scene.workspace.id,
        scene.member,
        channels.map(({ id }) => id),
      );
      return { channels: badges, clock: scene.replica.clock.read() };
    },
  );

  server.get<{ Params: Static<typeof WorkspaceParams>; Querystring: PageQuery }>(
    '/workspaces/:workspace/mentions',
    {
      schema: {
        summary: 'Messages of others that mention you, newest first',
        params: WorkspaceParams,
        querystring: PageQuery,
      },
    },
    async (request) => {
      const scene = await sceneOf(parts, request, request.params.workspace);
      const channels = await parts.access.channels(scene, scene.member);
      const page = await scene.replica.history.mentions(
        scene.workspace.id,
        scene.member,
        {
          named: channels.map(({ id }) => id),
          joined: channels.filter(({ isJoined }) => isJoined).map(({ id }) => id),
        },
        cursorOf(request.query),
        limitOf(request.query),
        tokenOf(request.query, scene),
      );
      return { ...page, clock: scene.replica.clock.read() };
    },
  );
};
