import {
  AfterQuery,
  CanvasBody,
  LevelQuery,
  RestoreBody,
  RightBody,
  aboutScope,
  versionName,
  type CanvasShares,
  type CanvasVersion,
  type Cell,
  type ListedVersion,
  type Right,
} from '@causeway/protocol';
import { Type, type Static } from 'typebox';
import {
  arrived,
  bodyMayBeAbsent,
  execute,
  nonceOf,
  sceneOf,
  timeOf,
  type Repeatable,
  type Routes,
  type Scene,
} from './command.ts';

const CANVAS = '/workspaces/:workspace/canvases/:canvas';
const Id = Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}$' });
const Params = Type.Object({ workspace: Type.String(), canvas: Id });
const RightParams = Type.Object({ ...Params.properties, to: Type.Union([Id, Type.Literal('*')]) });
const VersionParams = Type.Object({
  ...Params.properties,
  version: Type.String({ pattern: '^[A-Za-z0-9_-]{22}$' }),
});

/** Title, rights and versions of one canvas. */
export const canvasAboutRoutes: Routes = (server, parts) => {
  server.put<{ Params: Static<typeof Params>; Querystring: LevelQuery; Body: Static<typeof CanvasBody> }>(
    `${CANVAS}/title`,
    { schema: { summary: 'Set the title', params: Params, querystring: LevelQuery, body: CanvasBody } },
    async (request) => {
      const scene = await sceneOf(parts, request, request.params.workspace);
      const { title } = request.body;
      const { canvas } = request.params;
      const command = { kind: 'retitle' as const, ...frameOf(scene, request.body), canvas, title };
      return execute(parts, scene, command, { ...request.body, ...request.query });
    },
  );

  server.get<{ Params: Static<typeof Params>; Querystring: AfterQuery }>(
    `${CANVAS}/rights`,
    { schema: { summary: 'Who may do what', params: Params, querystring: AfterQuery } },
    async (request) => {
      const { scene, cells } = await aboutOf(
        request.params,
        request.query,
        await sceneOf(parts, request, request.params.workspace),
      );
      const { replica, workspace, member } = scene;
      const { canvas } = request.params;
      const items = cells
        .filter(({ key }) => key.startsWith('right|'))
        .map(({ key, value }) => ({ to: key.slice('right|'.length), right: value as Right }));
      const author = await replica.rights.author(workspace.id, canvas);
      const yours = await replica.rights.of(workspace.id, canvas, member);
      return { ...(author === undefined ? {} : { author }), yours, items } satisfies CanvasShares;
    },
  );

  server.put<{ Params: Static<typeof RightParams>; Querystring: LevelQuery; Body: Static<typeof RightBody> }>(
    `${CANVAS}/rights/:to`,
    {
      schema: {
        summary: 'Say what a member may do, or `*`: everybody who is not named; its author alone may',
        params: RightParams,
        querystring: LevelQuery,
        body: RightBody,
      },
    },
    async (request) => {
      const scene = await sceneOf(parts, request, request.params.workspace);
      const { canvas, to } = request.params;
      const { right } = request.body;
      const command = { kind: 'share' as const, ...frameOf(scene, request.body), canvas, to, right };
      return execute(parts, scene, command, { ...request.body, ...request.query });
    },
  );

  server.get<{ Params: Static<typeof Params>; Querystring: AfterQuery }>(
    `${CANVAS}/versions`,
    { schema: { summary: 'Its versions, newest first', params: Params, querystring: AfterQuery } },
    async (request) => {
      const { scene, cells } = await aboutOf(
        request.params,
        request.query,
        await sceneOf(parts, request, request.params.workspace),
      );
      const items = cells
        .filter(({ key }) => key.startsWith('version|'))
        .sort((a, b) => (a.v < b.v ? 1 : -1))
        .map(({ key, value }) => {
          const id = key.slice('version|'.length);
          const document = versionName(scene.workspace.id, request.params.canvas, id);
          return { id, ...(value as CanvasVersion), document } satisfies ListedVersion;
        });
      return { items };
    },
  );

  server.post<{ Params: Static<typeof Params>; Querystring: LevelQuery; Body: Static<typeof CanvasBody> }>(
    `${CANVAS}/versions`,
    {
      schema: {
        summary: 'Keep it as it is now, under a name',
        params: Params,
        querystring: LevelQuery,
        body: CanvasBody,
      },
    },
    async (request, reply) => {
      const scene = await sceneOf(parts, request, request.params.workspace);
      const { canvas } = request.params;
      const { title } = request.body;
      const command = { kind: 'version' as const, ...frameOf(scene, request.body), canvas, title };
      const ack = await execute(parts, scene, command, { ...request.body, ...request.query });
      return reply.code(201).send({ ...ack, document: versionName(scene.workspace.id, canvas, ack.id) });
    },
  );

  server.post<{
    Params: Static<typeof VersionParams>;
    Querystring: LevelQuery;
    Body: Static<typeof RestoreBody>;
  }>(
    `${CANVAS}/versions/:version/restore`,
    {
      schema: {
        summary: 'Give it the content of a version; done in the home region',
        params: VersionParams,
        querystring: LevelQuery,
        body: RestoreBody,
      },
      preValidation: bodyMayBeAbsent,
    },
    async (request) => {
      const scene = await sceneOf(parts, request, request.params.workspace);
      const { canvas, version } = request.params;
      const command = { kind: 'restore' as const, ...frameOf(scene, request.body), canvas, version };
      return execute(parts, scene, command, { ...request.body, ...request.query });
    },
  );
};

const frameOf = ({ workspace, member, replica }: Scene, body: Repeatable) => ({
  workspace: workspace.id,
  member,
  nonce: nonceOf(body),
  v: timeOf(body, replica),
});

/** The cells about a canvas, for who may see it. */
async function aboutOf(
  { canvas }: { canvas: string },
  query: AfterQuery,
  scene: Scene,
): Promise<{ scene: Scene; cells: Cell[] }> {
  const { replica, workspace, member } = scene;
  await arrived(query, scene);
  await replica.rights.mustSee(workspace.id, canvas, member);
  return { scene, cells: await replica.loadCells([aboutScope(workspace.id, canvas)]) };
}
