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
  });
}
