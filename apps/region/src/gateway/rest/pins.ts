import { AfterQuery, LevelQuery, SwitchBody, channelScope } from '@causeway/protocol';
import type { Static } from 'typebox';
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
import { CHANNEL, ChannelParams, MessageParams } from './messages.ts';

/** What is pinned to a channel. */
export const pinRoutes: Routes = (server, parts) => {
  server.get<{ Params: Static<typeof ChannelParams>; Querystring: AfterQuery }>(
    `${CHANNEL}/pins`,
    {
      schema: {
        summary: 'Pinned messages, newest pin first',
        params: ChannelParams,
        querystring: AfterQuery,
      },
    },
    async (request) => {
      const scene = await sceneOf(parts, request, request.params.workspace);
      const channel = await channelOf(parts, scene, request.params.channel);
      await arrived(request.query, scene);
      const cells = await scene.replica.loadCells([channelScope(scene.workspace.id, channel.id)]);
      const items = cells
        .filter(({ key, value }) => key.startsWith('pin|') && value !== null)
        .sort((a, b) => (a.v < b.v ? 1 : -1))
        .map(({ key, value }) => ({
          message: key.slice('pin|'.length),
          ...(value as { by: string; t: string }),
        }));
      return { items };
    },
  );

  for (const [method, on] of [
    ['PUT', true],
    ['DELETE', false],
  ] as const)
    server.route<{
      Params: Static<typeof MessageParams>;
      Querystring: LevelQuery;
      Body: Static<typeof SwitchBody>;
    }>({
      method,
      url: `${CHANNEL}/messages/:message/pin`,
      schema: {
        summary: on ? 'Pin a message' : 'Take the pin out',
        params: MessageParams,
        querystring: LevelQuery,
        body: SwitchBody,
      },
      preValidation: bodyMayBeAbsent,
      handler: async (request) => {
        const scene = await sceneOf(parts, request, request.params.workspace);
        const channel = await channelOf(parts, scene, request.params.channel);
        const command = {
          kind: 'pin' as const,
          workspace: scene.workspace.id,
          channel: channel.id,
          member: scene.member,
          message: request.params.message,
          nonce: nonceOf(request.body),
          on,
          v: timeOf(request.body, scene.replica),
        };
        return execute(parts, scene, command, { ...request.body, ...request.query });
      },
    });
};
