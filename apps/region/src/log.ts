import { pino, type Logger } from 'pino';

/**
 * JSON lines on standard output. Nothing that a client sent is logged: no bodies, paths, query
 * strings, slugs or member ids (R6); tokens are redacted should an object with headers slip in.
 */
export function openLog(region: string, level: string): Logger {
  return pino({
    level,
    base: { region },
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: ['headers', '*.headers', 'req', 'token', '*.token', 'url', '*.url'],
    serializers: { err: errorForLog },
  });
}

/** Libraries hang what they were given onto their errors: packets with tokens, rows with texts. */
export function errorForLog(error: unknown): object {
  if (!(error instanceof Error)) return { type: typeof error };
  const { name, stack, cause } = error;
  const code = (error as { code?: unknown }).code;
  return {
    type: name,
    stack,
    ...(typeof code === 'string' ? { code } : {}),
    ...(cause === undefined ? {} : { cause: errorForLog(cause) }),
  };
}
