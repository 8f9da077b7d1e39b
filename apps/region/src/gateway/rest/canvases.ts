import {
  AfterQuery,
  CanvasBody,
  LevelQuery,
  canvasName,
  canvasesScope,
  type Canvas,
  type Cell,
} from '@causeway/protocol';
import { generationOf } from '@causeway/replica';
import { Type, type Static } from 'typebox';
import { arrived, execute, nonceOf, sceneOf, timeOf, type Routes } from './command.ts';

const Params = Type.Object({ workspace: Type.String() });

/** Create and list canvases; they are written through `/v1/sync/<document>`. */
export const canvasRoutes: Routes = (server, parts) => {
  server.post<{ Params: Static<typeof Params>; Querystring: LevelQuery; Body: Static<typeof CanvasBody> }>(
    '/workspaces/:workspace/canvases',
    { schema: { summary: 'Create a canvas', params: Params, querystring: LevelQuery, body: CanvasBody } },
    async (request, reply) => {
      const scene = await sceneOf(parts, request, request.params.workspace);
      const command = {
        kind: 'canvas' as const,
        workspace: scene.workspace.id,
        member: scene.member,
        nonce: nonceOf(request.body),
        title: request.body.title,
        v: timeOf(request.body, scene.replica),
      };
      const ack = await execute(parts, scene, command, { ...request.body, ...request.query });
      const document = await scene.replica.generations.currentName(scene.workspace.id, ack.id);
      return reply.code(201).send({ ...ack, document });
    },
  );

  server.get<{ Params: Static<typeof Params>; Querystring: AfterQuery }>(
    '/workspaces/:workspace/canvases',
    { schema: { summary: 'All canvases, newest first', params: Params, querystring: AfterQuery } },
    async (request) => {
      const scene = await sceneOf(parts, request, request.params.workspace);
      const { workspace, replica } = scene;
      await arrived(request.query, scene);
      const cells = await replica.loadCells([canvasesScope(workspace.id)]);
      return { items: canvasesIn(workspace.id, cells) };
    },
  );
};

/** The canvases of a list, newest first, under the names that they have now. */
function canvasesIn(workspace: string, cells: readonly Cell[]): Canvas[] {
  const generations = new Map(
    cells.flatMap((cell) => generationOf(cell) ?? []).map(({ canvas, current }) => [canvas, current]),
  );
  return cells
    .filter(({ key }) => key.startsWith('canvas|'))
    .sort((a, b) => (a.v < b.v ? 1 : -1))
    .map(({ key, value }) => {
      const id = key.slice('canvas|'.length);
      const { title, author } = value as { title: string; author: string };
      return { id, title, author, document: canvasName(workspace, id, generations.get(id)?.generation) };
    });
}
