import { CausewayError, ERRORS, base64url, problemOf, type Problem } from '@causeway/protocol';
import { Unavailable, Doubtful } from '@causeway/replica';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';

/** A request's id, in its problem and in the log. */
export const newRequestId = (): string => base64url(randomBytes(12));

/** Any error as one of the closed set. What we do not know is `internal`, and its text stays in the log. */
export function asCausewayError(error: unknown): CausewayError {
  if (error instanceof CausewayError) return error;
  if (error instanceof Unavailable || error instanceof Doubtful)
    return new CausewayError('not-ready', 'the database of this region does not answer; try again', {
      retryAfter: 1,
    });
  if (!(error instanceof Error)) return internal();
  const { code, validation, message } = error as Partial<FastifyError>;
  if (validation !== undefined)
    return new CausewayError('invalid-request', message ?? 'the request is not valid');
  if (code === 'FST_ERR_CTP_INVALID_JSON_BODY' || code === 'FST_ERR_CTP_EMPTY_JSON_BODY')
    return new CausewayError('invalid-json', 'the body is not valid JSON');
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE')
    return new CausewayError('body-too-large', 'the request is larger than this door takes');
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE')
    return new CausewayError('invalid-request', 'send JSON with Content-Type: application/json');
  if (code === 'FST_ERR_BAD_URL' || code === 'FST_ERR_MAX_PARAM_LENGTH')
    return new CausewayError('invalid-request', 'the address is not readable, or a name in it is too long');
  if (typeof code === 'string' && (code.startsWith('FST_ERR_CTP_') || code === 'ERR_INVALID_URL'))
    return new CausewayError('invalid-request', message ?? 'the request is not valid');
  return internal();
}

const internal = (): CausewayError =>
  new CausewayError('internal', 'something broke on our side; it is logged under this request id');

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

export function sendProblem(cause: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const error = asCausewayError(cause);
  if (error.code === 'internal') request.log.error({ err: cause, requestId: request.id }, 'internal error');
  if (error.retryAfter !== undefined) void reply.header('retry-after', String(error.retryAfter));
  if (error.code === 'unauthorized') void reply.header('www-authenticate', 'Bearer');
  void reply
    .code(ERRORS[error.code].status)
    .type(PROBLEM_TYPE)
    .serializer(JSON.stringify)
    .send(problemOf(error, request.id));
}

const PROBLEM_TYPE = 'application/problem+json';

/** What Node could not even read as a request. Nothing of it is logged: it may hold a token. */
export function answerUnreadable(error: { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
  const problem = problemOf(unreadable(error.code), newRequestId());
  socket.end(rawAnswer(problem), () => socket.destroy());
}

function unreadable(code: string | undefined): CausewayError {
  if (code === 'HPE_HEADER_OVERFLOW')
    return new CausewayError('invalid-request', 'the address and the headers together are too long');
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return new CausewayError('invalid-request', 'the request did not arrive in time');
  return new CausewayError('invalid-request', 'this is no HTTP request');
}

function rawAnswer(problem: Problem): string {
  const body = JSON.stringify(problem);
  const lines = [
    `HTTP/1.1 ${problem.status} ${problem.title}`,
    `Content-Type: ${PROBLEM_TYPE}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ];
  return `${lines.join('\r\n')}\r\n\r\n${body}`;
}
