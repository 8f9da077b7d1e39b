import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import fastifyStatic from '@fastify/static';
import fastify, { type FastifyInstance } from 'fastify';
import { MAX_DELAY_MS, NoSuchLink, type CutOptions } from '../links/index.ts';
import { WorldError } from '../error.ts';
import { placeholderPage } from './placeholder.ts';
import type { PartName } from './status.ts';
import { DEFAULT_TTL_SECONDS } from './token.ts';
import type { World } from './world.ts';

/** What the control API can do to a world. */
export type Controlled = Pick<
  World,
  'links' | 'status' | 'token' | 'kill' | 'restart' | 'pause' | 'resume' | 'wipe' | 'rebuild'
>;

/** The body of `POST /world/links`. */
export type LinksRequest =
  | ({ action: 'cut'; a: string; b: string } & CutOptions)
  | { action: 'slow'; a: string; b: string; delayMs: number }
  | { action: 'heal'; a?: string; b?: string };

/** The body of `POST /world/parts`; without a part, all of the region are meant. */
export type PartsRequest = {
  action: 'kill' | 'restart' | 'pause' | 'resume';
  region: string;
  part?: PartName;
};

/** One line of the answer to `POST /world/rebuild`; the last one is `done` or `error`. */
export type RebuildLine = { line: string } | { done: true } | { error: string };

// Whoever looks a name up says what is wrong with it in better words than a schema.
const name = { type: 'string' };
const twoRegions = { a: name, b: name };
const action = (name: string, required: string[], properties: object) => ({
  type: 'object',
  required: ['action', ...required],
  additionalProperties: false,
  properties: { action: { const: name }, ...properties },
});
const linksBody = {
  type: 'object',
  required: ['action'],
  discriminator: { propertyName: 'action' },
  oneOf: [
    action('cut', ['a', 'b'], {
      ...twoRegions,
      mode: { enum: ['black-hole', 'reset'] },
      direction: { enum: ['both', 'there', 'back'] },
    }),
    action('slow', ['a', 'b', 'delayMs'], {
      ...twoRegions,
      delayMs: { type: 'number', minimum: 0, maximum: MAX_DELAY_MS },
    }),
    action('heal', [], twoRegions),
  ],
};
const partsBody = {
  type: 'object',
  required: ['action', 'region'],
  additionalProperties: false,
  properties: { action: { enum: ['kill', 'restart', 'pause', 'resume'] }, region: name, part: name },
};
const regionBody = {
  type: 'object',
  required: ['region'],
  additionalProperties: false,
  properties: { region: name },
};
const tokenQuery = {
  type: 'object',
  required: ['member'],
  additionalProperties: false,
  properties: { member: name, workspace: name, region: name, ttl: { type: 'number' } },
};

type TokenQuery = { member: string; workspace?: string; region?: string; ttl?: number };

/**
 * Serves the web page and the control API on 127.0.0.1. Only for this machine and this page:
 * requests under another host name, or from a page of another origin, are refused.
 */
export async function startControl(
  /** `down`: somebody wants the world to end. */
  { world, down }: { world: Controlled; down(): void },
  { port, pageFolder }: { port: number; pageFolder: string },
): Promise<{ close(): Promise<void> }> {
  const app = fastify({
    logger: false,
    forceCloseConnections: true,
    ajv: { customOptions: { discriminator: true, removeAdditional: false } },
  });
  app.addHook('onRequest', async ({ headers }) => {
    if (!isHere(`http://${headers.host ?? ''}`) || !isHere(headers.origin ?? 'http://localhost'))
      throw new Refused('This server is for this machine and its own page only.');
  });
  app.setErrorHandler(async (error: Error & { statusCode?: number; code?: string }, _request, reply) => {
    await reply.code(statusOf(error)).send({ error: error.message });
  });
  steer(app, world);
  steerParts(app, world);
  app.post('/world/down', async (_request, reply) => {
    reply.raw.once('close', down);
    await reply.code(202).send({ down: true });
  });
  await servePage(app, pageFolder, world);
  await app.listen({ host: '127.0.0.1', port });
  return { close: () => app.close() };
}

class Refused extends Error {}

function statusOf(error: Error & { statusCode?: number }): number {
  if (error instanceof Refused) return 403;
  if (error instanceof WorldError || error instanceof NoSuchLink) return 400;
  return error.statusCode ?? 500;
}

function isHere(origin: string): boolean {
  return URL.canParse(origin) && ['127.0.0.1', 'localhost', '[::1]'].includes(new URL(origin).hostname);
}

function steer(app: FastifyInstance, world: Controlled): void {
  app.get('/world/status', () => world.status());

  app.post<{ Body: LinksRequest }>('/world/links', { schema: { body: linksBody } }, async ({ body }) => {
    if (body.action === 'cut') world.links.cut(body.a, body.b, body);
    else if (body.action === 'slow') world.links.slow(body.a, body.b, body.delayMs);
    else world.links.heal(body.a, body.b);
    return { links: world.links.state() };
  });

  app.get<{ Querystring: TokenQuery }>(
    '/world/token',
    { schema: { querystring: tokenQuery } },
    async ({ query: { member, ...options } }, reply) => {
      const token = await world.token(member, options);
      await reply
        .header('cache-control', 'no-store')
        .send({ token, member, expiresInSeconds: options.ttl ?? DEFAULT_TTL_SECONDS });
    },
  );
}

function steerParts(app: FastifyInstance, world: Controlled): void {
  app.post<{ Body: PartsRequest }>('/world/parts', { schema: { body: partsBody } }, async ({ body }) => {
    await world[body.action](body.region, body.part);
    return { done: true };
  });

  app.post<{ Body: { region: string } }>(
    '/world/wipe',
    { schema: { body: regionBody } },
    async ({ body }) => {
      await world.wipe(body.region);
      return { done: true };
    },
  );

  app.post<{ Body: { region: string } }>(
    '/world/rebuild',
    { schema: { body: regionBody } },
    async ({ body }, reply) => {
      const nobodyListens = new AbortController();
      reply.raw.once('close', () => nobodyListens.abort(new WorldError('Nobody waits for it any more.')));
      const answer = new PassThrough();
      const say = (line: RebuildLine): void => void answer.write(`${JSON.stringify(line)}\n`);
      const begun = Promise.withResolvers<void>();
      const hear = (line: string): void => {
        begun.resolve();
        say({ line });
      };
      const rebuilding = world.rebuild(body.region, hear, nobodyListens.signal);
      // What goes wrong before the first word is answered as everywhere.
      await Promise.race([begun.promise, rebuilding]);
      void rebuilding
        .then(
          () => say({ done: true }),
          (error: Error) => say({ error: error.message }),
        )
        .finally(() => answer.end());
      return reply.type('application/x-ndjson').send(answer);
    },
  );
}

/** The built page, whatever path of it is asked for; without one, a page that says what there is. */
async function servePage(app: FastifyInstance, folder: string, world: Controlled): Promise<void> {
  if (existsSync(join(folder, 'index.html'))) {
    await app.register(fastifyStatic, { root: folder, wildcard: true });
    app.setNotFoundHandler(async ({ method, url }, reply) => {
      const isPage = method === 'GET' && !url.startsWith('/world/');
      if (isPage) await reply.sendFile('index.html');
      else await reply.code(404).send({ error: 'There is nothing of that name.' });
    });
  } else
    app.get('/', async (_request, reply) => {
      await reply.type('text/html; charset=utf-8').send(placeholderPage(await world.status()));
    });
}
