import { CausewayError, ERRORS, problemOf } from '@causeway/protocol';
import { Unavailable, Doubtful } from '@causeway/replica';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

/** Any error as one of the closed set. What we do not know is `internal`, and its text stays in the log. */
export function asCausewayError(error: unknown): CausewayError {
  if (error instanceof CausewayError) return error;
  if (error instanceof Unavailable || error instanceof Doubtful)
    return new CausewayError('not-ready', 'the database of this region does not answer; try again', {
      retryAfter: 1,
    });
  const { code, validation, message } = error as Partial<FastifyError>;
  if (validation !== undefined)
    return new CausewayError('invalid-request', message ?? 'the request is not valid');
  if (code === 'FST_ERR_CTP_INVALID_JSON_BODY' || code === 'FST_ERR_CTP_EMPTY_JSON_BODY')
    return new CausewayError('invalid-json', 'the body is not valid JSON');
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE')
    return new CausewayError('body-too-large', 'the request is larger than this door takes');
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE')
    return new CausewayError('invalid-request', 'send JSON with Content-Type: application/json');
  if (typeof code === 'string' && (code.startsWith('FST_ERR_') || code === 'ERR_INVALID_URL'))
    return new CausewayError('invalid-request', message ?? 'the request is not valid');
  return new CausewayError('internal', 'something broke on our side; it is logged under this request id');
}

/** Every error of the HTTP door leaves as RFC 9457 problem details with the request id. */
export function answerProblems(server: FastifyInstance): void {
  server.setErrorHandler((error, request, reply) => sendProblem(error, request, reply));
  server.setNotFoundHandler((request, reply) =>
    sendProblem(
      new CausewayError('not-found', 'there is no such route; see /v1/openapi.json'),
      request,
      reply,
    ),
  );
}

function sendProblem(cause: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const error = asCausewayError(cause);
  if (error.code === 'internal') request.log.error({ err: cause, requestId: request.id }, 'internal error');
  if (error.retryAfter !== undefined) void reply.header('retry-after', String(error.retryAfter));
  if (error.code === 'unauthorized') void reply.header('www-authenticate', 'Bearer');
  void reply
    .code(ERRORS[error.code].status)
    .type('application/problem+json')
    .send(problemOf(error, request.id));
}
