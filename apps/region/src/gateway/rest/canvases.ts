import { CanvasBody, canvasName, canvasesScope, type Canvas } from '@causeway/protocol';
import { Type, type Static } from 'typebox';
import { execute, nonceOf, sceneOf, timeOf, type Routes } from './command.ts';

const Params = Type.Object({ workspace: Type.String() });

/** Create and list canvases; they are written through `/v1/sync/<document>`. */
export const canvasRoutes: Routes = (server, parts) => {
  server.post<{ Params: Static<typeof Params>; Body: Static<typeof CanvasBody> }>(
    '/workspaces/:workspace/canvases',
    { schema: { summary: 'Create a canvas', params: Params, body: CanvasBody } },
    async (request, reply) => {
      const scene = sceneOf(parts, request, request.params.workspace);
      const command = {
        kind: 'canvas' as const,
        workspace: scene.workspace.id,
        member: scene.member,
        nonce: nonceOf(request.body),
        title: request.body.title,
        v: timeOf(request.body, scene.replica),
      };
      const ack = await execute(parts, scene, command, request.body.id);
      return reply.code(201).send({ ...ack, document: canvasName(scene.workspace.id, ack.id) });
    },
  );

  server.get<{ Params: Static<typeof Params> }>(
    '/workspaces/:workspace/canvases',
    { schema: { summary: 'All canvases, newest first', params: Params } },
    async (request) => {
      const { workspace, replica } = sceneOf(parts, request, request.params.workspace);
      const cells = await replica.loadCells([canvasesScope(workspace.id)]);
      const items = cells
        .sort((a, b) => (a.v < b.v ? 1 : -1))
        .map(({ key, value }): Canvas => {
          const id = key.slice('canvas|'.length);
          const { title, author } = value as { title: string; author: string };
          return { id, title, author, document: canvasName(workspace.id, id) };
        });
      return { items };
    },
  );
};
