import cors from '@fastify/cors';
import swagger from '@fastify/swagger';
import { CausewayError, LIMITS } from '@causeway/protocol';
import Fastify, {
  LogController,
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyRequest,
} from 'fastify';
import type { Logger } from 'pino';
import type { Access } from '../access.ts';
import type { Config } from '../config/read.ts';
import type { Metrics } from '../metrics.ts';
import type { Identity, Tokens } from '../tokens.ts';
import type { RateLimits } from './limits.ts';
import { compressLarge } from './compression.ts';
import { answerProblems, answerUnreadable, newRequestId, sendProblem } from './problems.ts';
import { attentionRoutes } from './rest/attention.ts';
import { canvasAboutRoutes } from './rest/canvas-about.ts';
import { canvasRoutes } from './rest/canvases.ts';
import { channelRoutes } from './rest/channels.ts';
import { membershipRoutes } from './rest/membership.ts';
import { directRoutes } from './rest/direct.ts';
import { messageRoutes } from './rest/messages.ts';
import { personalRoutes } from './rest/personal.ts';
import { pinRoutes } from './rest/pins.ts';
import { scheduledRoutes } from './rest/scheduled.ts';
import { operatorRoutes, type Readiness } from './operations.ts';
import { asyncApi } from './events/asyncapi.ts';
import { isForDoors } from './doors.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by the sign-in hook on every route under /v1 but the description of the API. */
    identity: Identity;
  }
}

/** A request has arrived whole by then, milliseconds. */
const ARRIVES_WITHIN_MS = 30_000;

export type HttpParts = {
  config: Config;
  log: Logger;
  tokens: Tokens;
  access: Access;
  metrics: Metrics;
  limits: RateLimits;
  readiness: () => Promise<Readiness>;
  /** Fires when the process is about to stop: what comes after that is sent to another region. */
  stopping: AbortSignal;
};

/** The HTTP door of a region: REST for clients under /v1, and what operators ask for. */
export async function openHttp(parts: HttpParts): Promise<FastifyInstance> {
  const { config, log, metrics } = parts;
  const server: FastifyInstance = Fastify({
    loggerInstance: log as FastifyBaseLogger,
    // Our own line names the route, never the path: paths hold slugs and, for WebSockets, tokens (R6).
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: LIMITS.requestBytes,
    genReqId: newRequestId,
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false, allErrors: false } },
    requestTimeout: ARRIVES_WITHIN_MS,
    // What is under way when we stop is answered; who comes later gets a problem like any other.
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    routerOptions: { maxParamLength: 300 },
    // Any other `Upgrade` (curl offers h2c) is an ordinary request that would like to be more.
    http: { shouldUpgradeCallback: isForDoors },
    clientErrorHandler: answerUnreadable,
    frameworkErrors: sendProblem,
  });
  answerProblems(server);
  server.addHook('onRequest', refuseWhen(parts.stopping));
  server.addHook('onSend', async (_request, reply) => {
    if (parts.stopping.aborted) void reply.header('connection', 'close');
  });
  acceptEmptyJson(server);
  compressLarge(server);
  await server.register(cors, {
    origin: [...config.webOrigins],
    methods: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'],
    exposedHeaders: ['retry-after', 'etag'],
  });
  await server.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Causeway', version: '1', description: 'Messages and canvases of one region' },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      security: [{ token: [] }],
    },
  });
  server.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'unknown';
    const ms = Math.round(reply.elapsedTime * 10) / 10;
    metrics.request(request.method, route, reply.statusCode, reply.elapsedTime / 1000);
    log.debug(
      { requestId: request.id, method: request.method, route, status: reply.statusCode, ms },
      'request',
    );
  });
  operatorRoutes(server, parts);
  await server.register(
    async (v1) => {
      v1.get('/openapi.json', { schema: { hide: true } }, () => server.swagger());
      v1.get('/asyncapi.json', { schema: { hide: true } }, () => asyncApi());
      await v1.register(async (signedIn) => {
        signedIn.decorateRequest('identity');
        signedIn.addHook('onRequest', signIn(parts.tokens));
        signedIn.addHook('onRequest', limitRate(parts.limits));
        messageRoutes(signedIn, parts);
        attentionRoutes(signedIn, parts);
        channelRoutes(signedIn, parts);
        membershipRoutes(signedIn, parts);
        pinRoutes(signedIn, parts);
        personalRoutes(signedIn, parts);
        scheduledRoutes(signedIn, parts);
        directRoutes(signedIn, parts);
        canvasRoutes(signedIn, parts);
        canvasAboutRoutes(signedIn, parts);
      });
    },
    { prefix: '/v1' },
  );
  return server;
}

/** Closes the door: answers what is under way, for `patienceMs` at most. */
export async function closeHttp(server: FastifyInstance, patienceMs: number): Promise<void> {
  const patience = setTimeout(() => server.server.closeAllConnections(), patienceMs);
  await server.close();
  clearTimeout(patience);
}

function refuseWhen(stopping: AbortSignal): () => Promise<void> {
  return async () => {
    if (stopping.aborted)
      throw new CausewayError('shutting-down', 'this process is stopping; go to another region or try again');
  };
}

function signIn(tokens: Tokens): (request: FastifyRequest) => Promise<void> {
  return async (request) => {
    const [scheme, token] = (request.headers.authorization ?? '').split(' ');
    request.identity = await tokens.verify(scheme?.toLowerCase() === 'bearer' ? token : undefined);
  };
}

function limitRate(limits: RateLimits): (request: FastifyRequest) => Promise<void> {
  return async ({ identity }) => limits.take(identity);
}

/** DELETE and PUT may come with the JSON content type and no body: that means {}. */
function acceptEmptyJson(server: FastifyInstance): void {
  const parse = server.getDefaultJsonParser('error', 'error');
  server.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, {});
    else parse(request, body as string, done);
  });
}
