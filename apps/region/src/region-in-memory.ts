import { base64url } from '@causeway/protocol';
import { Replica, Unavailable } from '@causeway/replica';
import { MemoryNetwork } from '@causeway/replication';
import { MemoryStore } from '@causeway/store';
import { SignJWT, exportJWK, generateKeyPair, type JWTPayload } from 'jose';
import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { pino } from 'pino';
import { Access } from './access.ts';
import { Catalog } from './catalog.ts';
import type { Config } from './config/read.ts';
import type { Manifest } from './config/manifest.ts';
import { AwarenessRooms } from './gateway/awareness.ts';
import { RateLimits } from './gateway/limits.ts';
import type { HttpParts } from './gateway/http.ts';
import { Metrics } from './metrics.ts';
import { Tokens } from './tokens.ts';

/** A region for tests of its doors: everything but Postgres, NATS and a port. */
export type RegionInMemory = HttpParts & {
  rooms: AwarenessRooms;
  replica: Replica;
  store: MemoryStore;
  /** While true, the database cannot be reached. */
  broken: boolean;
  /** The database answers nothing before this has resolved. */
  answersAfter: Promise<void>;
  /** What was logged, as text. */
  logged(): string;
  /** A token of ada for the workspace acme by us-east, unless told otherwise. */
  token(claims?: JWTPayload, signer?: string): Promise<string>;
  stop: AbortController;
  nonce(): string;
};

const KEYS = await Promise.all(
  ['us-east', 'eu-west'].map(async (region) => ({
    region,
    keys: await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true }),
  })),
);

const workspace = (id: string, zone: string): Manifest['workspaces'][number] => ({
  id: `${id}-id`,
  slug: id,
  name: 'Acme',
  zone,
  home: 'us-east',
  admins: ['ada'],
  channels: [{ id: 'general-id', slug: 'general' }],
});

/** us-east is in the zone `global`, eu-west in `eu`; acme is kept in the one, acme-eu in the other. */
export async function manifestForTests(): Promise<Manifest> {
  const nats = { url: 'nats://127.0.0.1:4222', user: 'u', password: 'p' };
  const zones: Record<string, string> = { 'us-east': 'global', 'eu-west': 'eu' };
  return {
    region: 'us-east',
    listen: { host: '127.0.0.1', port: 0 },
    url: 'http://us-east.test',
    webOrigins: ['http://page.test'],
    postgres: 'postgres://user:secret@127.0.0.1:5432/causeway',
    zones: [{ zone: 'global', nats, peers: [] }],
    regions: await Promise.all(
      KEYS.map(async ({ region, keys }) => {
        const { kty, crv, x } = await exportJWK(keys.publicKey);
        const publicKey = { kty: kty!, crv: crv!, x: x! };
        return { region, url: `http://${region}.test`, zones: [zones[region]!], publicKey };
      }),
    ),
    workspaces: [workspace('acme', 'global'), workspace('acme-eu', 'eu')],
  };
}

export async function regionInMemory(): Promise<RegionInMemory> {
  const config: Config = { ...(await manifestForTests()), logLevel: 'info' };
  const time = {
    now: () => Date.now(),
    sleep: (ms: number, signal?: AbortSignal): Promise<void> =>
      pause(ms, undefined, { ref: false, ...(signal === undefined ? {} : { signal }) }).catch(
        () => undefined,
      ),
  };
  const fail = async (): Promise<void> => {
    await region.answersAfter;
    if (region.broken) throw new Unavailable('the database is gone');
  };
  const catalog = new Catalog(config);
  const store = new MemoryStore({ region: config.region, now: time.now, identity: 'in memory', fail });
  const network = new MemoryNetwork({ time, regions: [config.region], delayMs: 0 });
  const replica = new Replica({
    region: config.region,
    regions: [config.region],
    store,
    bus: network.bus(config.region),
    time,
    random: { bytes: randomBytes },
    workspaces: catalog.foundingsOf('global'),
    notice: () => undefined,
  });
  const lines: string[] = [];
  const stop = new AbortController();
  const region: RegionInMemory = {
    config,
    replica,
    store,
    stop,
    stopping: stop.signal,
    log: pino({ level: 'debug' }, { write: (line: string) => void lines.push(line) }),
    logged: () => lines.join(''),
    tokens: await Tokens.open(config),
    access: new Access(catalog, new Map([['global', replica]])),
    metrics: new Metrics(config.region, () => []),
    limits: new RateLimits(),
    rooms: new AwarenessRooms((document, listener) => replica.presence.share(document, listener)),
    readiness: async () => ({ ready: true, region: config.region, zones: [] }),
    token: (claims = {}, signer = 'us-east') => {
      const { privateKey } = KEYS.find(({ region }) => region === signer)!.keys;
      const now = Math.floor(Date.now() / 1000);
      const payload = { sub: 'ada', ws: 'acme-id', aud: 'causeway', exp: now + 600, ...claims };
      return new SignJWT(payload).setProtectedHeader({ alg: 'EdDSA', kid: signer }).sign(privateKey);
    },
    broken: false,
    answersAfter: Promise.resolve(),
    nonce: () => base64url(randomBytes(16)),
  };
  void replica.run(stop.signal);
  return region;
}
