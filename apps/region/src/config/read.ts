import { readFileSync } from 'node:fs';
import { Value } from 'typebox/value';
import { Manifest } from './manifest.ts';

/** What one server process runs with: the manifest, with what the environment overrides. */
export type Config = Readonly<Manifest>;

/**
 * Reads the manifest that `CAUSEWAY_CONFIG` names. `DATABASE_URL` and `NATS_URL`
 * (nats://user:password@host:port) point at servers that exist already. Throws with a sentence
 * that says what to mend.
 */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const path = env['CAUSEWAY_CONFIG'];
  if (path === undefined) throw new Error("set CAUSEWAY_CONFIG to the path of this region's manifest (JSON)");
  const manifest = parse(path);
  const database = env['DATABASE_URL'];
  const nats = env['NATS_URL'];
  return Object.freeze({
    ...manifest,
    postgres: database ?? manifest.postgres,
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
    throw new Error(`the manifest ${path} cannot be read: ${String(error)}`, { cause: error });
  }
  if (Value.Check(Manifest, json)) return json;
  const [first] = Value.Errors(Manifest, json);
  throw new Error(`the manifest ${path} is not valid: ${first?.instancePath || '/'} ${first?.message ?? ''}`);
}

/** Credentials may stand in the URL; the manifest's apply where they do not. */
function natsOf(text: string, given: Manifest['zones'][number]['nats']): Manifest['zones'][number]['nats'] {
  const url = new URL(text);
  return {
    url: `${url.protocol}//${url.host}`,
    user: url.username === '' ? given.user : decodeURIComponent(url.username),
    password: url.password === '' ? given.password : decodeURIComponent(url.password),
  };
}
