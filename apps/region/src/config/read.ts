import { readFileSync } from 'node:fs';
import { Value } from 'typebox/value';
import { Manifest, contradictionIn } from './manifest.ts';

/** What one server process runs with: the manifest, with what the environment overrides. */
export type Config = Readonly<Manifest> & {
  /** What is worth a line: `trace` to `fatal`, from `CAUSEWAY_LOG`. */
  readonly logLevel: LogLevel;
};

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;
type LogLevel = (typeof LOG_LEVELS)[number];

type Nats = Manifest['zones'][number]['nats'];

/**
 * Reads the manifest that `CAUSEWAY_CONFIG` names. `DATABASE_URL` and `NATS_URL`
 * (nats://user:password@host:port) point at servers that exist already; empty means unset. Throws
 * with a sentence that says what to mend, and never quotes a password.
 */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const given = (name: string): string | undefined => (env[name] === '' ? undefined : env[name]);
  const path = given('CAUSEWAY_CONFIG');
  if (path === undefined) throw new Error("set CAUSEWAY_CONFIG to the path of this region's manifest (JSON)");
  const manifest = parse(path);
  const database = given('DATABASE_URL');
  const nats = given('NATS_URL');
  return Object.freeze({
    ...manifest,
    logLevel: logLevelOf(given('CAUSEWAY_LOG') ?? 'info'),
    postgres: database === undefined ? manifest.postgres : databaseOf(database),
    zones: manifest.zones.map((zone) =>
      nats === undefined ? zone : { ...zone, nats: natsOf(nats, zone.nats) },
    ),
  });
}

function parse(path: string): Manifest {
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    // The parser quotes the text, and passwords stand in it.
    const why = error instanceof SyntaxError ? 'it is not valid JSON' : String(error);
    throw new Error(`the manifest ${path} cannot be read: ${why}`, { cause: error });
  }
  if (!Value.Check(Manifest, json)) {
    const [first] = Value.Errors(Manifest, json);
    throw new Error(
      `the manifest ${path} is not valid: ${first?.instancePath || '/'} ${first?.message ?? ''}`,
    );
  }
  const contradiction = contradictionIn(json);
  if (contradiction !== undefined)
    throw new Error(`the manifest ${path} contradicts itself: ${contradiction}`);
  return json;
}

function logLevelOf(text: string): LogLevel {
  const level = LOG_LEVELS.find((known) => known === text);
  if (level !== undefined) return level;
  throw new Error(`CAUSEWAY_LOG is one of ${LOG_LEVELS.join(', ')}`);
}

function databaseOf(text: string): string {
  // No URL parser: Postgres takes several hosts in one.
  if (/^postgres(ql)?:\/\/./.test(text)) return text;
  throw new Error('DATABASE_URL is not valid; it looks like postgres://user:password@host:5432/database');
}

/** Credentials may stand in the URL; the manifest's apply where they do not. */
function natsOf(text: string, given: Nats): Nats {
  const url = URL.parse(text);
  const user = decoded(url?.username);
  const password = decoded(url?.password);
  if (
    url === null ||
    !['nats:', 'tls:'].includes(url.protocol) ||
    user === undefined ||
    password === undefined
  )
    throw new Error('NATS_URL is not valid; it looks like nats://user:password@host:4222');
  return {
    url: `${url.protocol}//${url.host}`,
    user: user === '' ? given.user : user,
    password: password === '' ? given.password : password,
  };
}

function decoded(text = ''): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
