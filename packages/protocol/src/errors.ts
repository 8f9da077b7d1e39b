/**
 * The closed set of errors. `next` is what the reader should do: `retry` here after a moment,
 * go `elsewhere`, `fix` the request, or `stop`. `status` is for HTTP, `close` for WebSockets:
 * 4000-4099 reconnect here, 4100-4199 go to another region, 4400-4499 stop (the range at which stock y-websocket providers stop too).
 * A frame of more than twice the bound is cut off below this protocol, with RFC 6455's own 1009.
 */
export const ERRORS = {
  'invalid-request': { status: 400, close: 4400, next: 'fix', title: 'The request is not valid' },
  'invalid-json': { status: 400, close: 4401, next: 'fix', title: 'The body is not valid JSON' },
  'malformed-frame': { status: 400, close: 4402, next: 'stop', title: 'The frame cannot be read' },
  'frame-too-large': { status: 413, close: 4403, next: 'stop', title: 'The frame is too large' },
  'body-too-large': { status: 413, close: 4404, next: 'fix', title: 'The text is too long' },
  'clock-ahead': { status: 422, close: 4405, next: 'fix', title: 'The timestamp lies in the future' },
  'id-mismatch': { status: 422, close: 4406, next: 'fix', title: 'The id is not the hash of the command' },
  'read-only': { status: 403, close: 4407, next: 'stop', title: 'This document is written by commands only' },
  'document-too-large': { status: 413, close: 4408, next: 'stop', title: 'The document is too large' },
  'unauthorized': { status: 401, close: 4410, next: 'stop', title: 'A valid token is needed' },
  'forbidden': { status: 403, close: 4411, next: 'stop', title: 'The token does not allow this' },
  'not-found': { status: 404, close: 4412, next: 'fix', title: 'There is nothing of that name' },
  'gone': { status: 410, close: 4413, next: 'stop', title: 'The message was deleted' },
  'too-many-edits': { status: 409, close: 4414, next: 'stop', title: 'The message was edited too often' },
  'superseded': { status: 409, close: 4415, next: 'stop', title: 'The document goes on under another name' },
  'too-many': { status: 409, close: 4416, next: 'fix', title: 'There is no room for one more' },
  'archived': { status: 409, close: 4417, next: 'stop', title: 'The channel is archived' },
  'name-taken': { status: 409, close: 4418, next: 'fix', title: 'The name stands for something else' },
  'version-moved': { status: 412, close: 4419, next: 'fix', title: 'It was changed since you looked' },
  'not-here-yet': { status: 409, close: 4000, next: 'retry', title: 'This region does not have it yet' },
  'rate-limited': { status: 429, close: 4001, next: 'retry', title: 'Too many requests' },
  'not-committed': { status: 503, close: 4002, next: 'retry', title: 'The write was not confirmed' },
  'not-ready': { status: 503, close: 4003, next: 'retry', title: 'The region is not ready' },
  'too-slow': { status: 503, close: 4004, next: 'retry', title: 'The reader fell too far behind' },
  'not-replicated': {
    status: 503,
    close: 4006,
    next: 'retry',
    title: 'No other region has confirmed it yet',
  },
  'no-directory': {
    status: 503,
    close: 4007,
    next: 'retry',
    title: 'Members and channels cannot be changed now: the directory does not answer',
  },
  'no-peer': {
    status: 503,
    close: 4008,
    next: 'retry',
    title: 'Members and channels cannot be changed now: no other region of the zone answers',
  },
  'shutting-down': { status: 503, close: 4100, next: 'elsewhere', title: 'The region is shutting down' },
  'elsewhere': { status: 421, close: 4101, next: 'elsewhere', title: 'The workspace lives in other regions' },
  'internal': { status: 500, close: 4005, next: 'retry', title: 'Something broke on our side' },
} as const;

export type ErrorCode = keyof typeof ERRORS;

/** An error with a code from the closed set; `detail` says what to do about this very case. */
export class CausewayError extends Error {
  readonly code: ErrorCode;
  /** Regions that can serve the request, for `elsewhere`. */
  readonly regions: readonly string[] | undefined;
  /** Seconds after which a retry makes sense, for `next: retry`. */
  readonly retryAfter: number | undefined;

  constructor(
    code: ErrorCode,
    detail: string,
    more: { regions?: readonly string[]; retryAfter?: number } = {},
  ) {
    super(detail);
    this.name = 'CausewayError';
    this.code = code;
    this.regions = more.regions;
    this.retryAfter = more.retryAfter;
  }
}

/** RFC 9457 problem details. */
export type Problem = {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: ErrorCode;
  next: (typeof ERRORS)[ErrorCode]['next'];
  requestId?: string;
  regions?: readonly string[];
  /** Seconds after which a retry makes sense. */
  retryAfter?: number;
};

export function problemOf(error: CausewayError, requestId?: string): Problem {
  const { status, title, next } = ERRORS[error.code];
  return {
    type: `urn:causeway:error:${error.code}`,
    title,
    status,
    detail: error.message,
    code: error.code,
    next,
    ...(requestId === undefined ? {} : { requestId }),
    ...(error.regions === undefined ? {} : { regions: error.regions }),
    ...(error.retryAfter === undefined ? {} : { retryAfter: error.retryAfter }),
  };
}
