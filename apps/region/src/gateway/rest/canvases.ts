import {
  AfterQuery,
  CanvasBody,
  LevelQuery,
  aboutScope,
  canvasName,
  canvasesScope,
  type Canvas,
  type Cell,
  type Right,
} from '@causeway/protocol';
import { generationOf, rightIn } from '@causeway/replica';
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
      const { workspace, replica, member } = scene;
      await arrived(request.query, scene);
      const canvases = canvasesIn(workspace.id, await replica.loadCells([canvasesScope(workspace.id)]));
      const about = await replica.loadCells(canvases.map(({ id }) => aboutScope(workspace.id, id)));
      return { items: asSeenBy(member, workspace.id, canvases, about) };
    },
  );
};

/** Those that a member may see, with the titles that they have now. */
function asSeenBy(
  member: string,
  workspace: string,
  canvases: readonly Canvas[],
  about: readonly Cell[],
): (Canvas & { right: Right })[] {
  const byScope = Map.groupBy(about, ({ scope }) => scope);
  return canvases.flatMap((canvas) => {
    const cells = new Map(byScope.get(aboutScope(workspace, canvas.id))?.map((cell) => [cell.key, cell]));
    const right = canvas.author === member ? 'edit' : rightIn(cells, member);
    const title = (cells.get('title')?.value as { text: string } | undefined)?.text ?? canvas.title;
    return right === 'none' ? [] : { ...canvas, title, right };
  });
}

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
