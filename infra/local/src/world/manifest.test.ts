import { expect, test } from 'vitest';
import { brokerConfig, brokerCredentials, existingBroker } from './brokers.ts';
import { demoWorkspaces } from './demo.ts';
import { directoryCredentials, directoryMembers, memberConfig } from './directory.ts';
import { portsFrom, REGIONS } from './layout.ts';
import { manifestOf } from './manifest.ts';

const ports = portsFrom(4100);
const secrets = {
  password: (purpose: string) => `secret(${purpose})`,
  signingKey: () => ({}),
  publicKey: (region: string) => ({ kty: 'OKP', crv: 'Ed25519', x: region }),
};
const manifest = (
  region: string,
  running: readonly string[] = REGIONS,
  nth = 0,
): ReturnType<typeof manifestOf> =>
  manifestOf(
    region,
    {
      running,
      ports,
      postgresUrl: 'postgres://127.0.0.1/',
      broker: (zone, reader, of) => brokerCredentials(zone, reader, of, { ports, secrets }),
      publicKey: secrets.publicKey,
      directory: (region) => directoryCredentials(region, { home: '/home', running, ports, secrets }),
      workspaces: demoWorkspaces(running),
    },
    nth,
  );

test('servers of a region differ in where they listen, and in nothing else', () => {
  const [first, second] = [manifest('eu-west'), manifest('eu-west', REGIONS, 1)];
  const { listen, url, ...rest } = second;
  expect([listen.port, url]).toEqual([4181, 'http://127.0.0.1:4181']);
  expect(first).toMatchObject(rest);
  expect(first.regions[1]!.url).toBe(first.url);
});

test('a region reads its peers over the links, and its own broker directly', () => {
  const [global, eu] = manifest('eu-west').zones;
  expect(global!.nats.url).toBe('nats://127.0.0.1:4122');
  expect(global!.peers.map(({ region, nats }) => [region, nats.url])).toEqual([
    ['us-east', `nats://127.0.0.1:${ports.link('eu-west', 'us-east')}`],
    ['eu-central', `nats://127.0.0.1:${ports.link('eu-west', 'eu-central')}`],
    ['ap-south', `nats://127.0.0.1:${ports.link('eu-west', 'ap-south')}`],
  ]);
  expect(eu!.peers.map(({ region }) => region)).toEqual(['eu-central']);
});

test('R6: a region outside the EU has no credentials of the EU zone, and no account of it', () => {
  for (const region of ['us-east', 'ap-south']) {
    expect(manifest(region).zones.map(({ zone }) => zone)).toEqual(['global']);
    expect(JSON.stringify(manifest(region))).not.toContain('nats eu');
    const config = brokerConfig(region, { home: '/home', running: REGIONS, ports, secrets });
    expect(config).toContain('Z_GLOBAL');
    expect(config).not.toContain('Z_EU');
  }
});

test('every credential in a manifest opens the account on the broker that it is for', () => {
  for (const region of REGIONS)
    for (const { zone, nats, peers } of manifest(region).zones) {
      const own = brokerConfig(region, { home: '/home', running: REGIONS, ports, secrets });
      expect(own, zone).toContain(`user: "${nats.user}", password: "${nats.password}"`);
      for (const peer of peers) {
        const its = brokerConfig(peer.region, { home: '/home', running: REGIONS, ports, secrets });
        expect(its, zone).toContain(`user: "${peer.nats.user}", password: "${peer.nats.password}"`);
      }
    }
});

test('a region asks the member of the directory in its own region, or the nearest one, with credentials that open it', () => {
  expect(directoryMembers(REGIONS)).toEqual(['us-east', 'eu-west', 'eu-central']);
  expect(directoryMembers(['us-east', 'ap-south'])).toEqual(['us-east']);
  const asked = REGIONS.map((region) => manifest(region).directory!.nats.url);
  expect(asked).toEqual([
    ...['us-east', 'eu-west', 'eu-central'].map((member) => `nats://127.0.0.1:${ports.directory(member)}`),
    `nats://127.0.0.1:${ports.directoryLink('ap-south', 'eu-central')}`,
  ]);
  for (const member of directoryMembers(REGIONS)) {
    const config = memberConfig(member, { home: '/home', running: REGIONS, ports, secrets });
    for (const region of REGIONS) {
      const { user, password } = manifest(region).directory!.nats;
      expect(config, member).toContain(`user: "${user}", password: "${password}"`);
    }
    for (const other of directoryMembers(REGIONS))
      expect(config.includes(`@127.0.0.1:${ports.routeLink(member, other)}"`)).toBe(other !== member);
  }
});

test('workspaces are where their zone is, with a home that runs', () => {
  expect(demoWorkspaces(REGIONS).map(({ id, home }) => [id, home])).toEqual([
    ['demo', 'us-east'],
    ['demo-eu', 'eu-west'],
  ]);
  expect(demoWorkspaces(['ap-south']).map(({ id, home }) => [id, home])).toEqual([['demo', 'ap-south']]);
  expect(demoWorkspaces(['eu-central']).map(({ home }) => home)).toEqual(['eu-central', 'eu-central']);
});

test('NATS_URL serves one region of one zone', () => {
  expect(existingBroker('nats://me:p%40ss@host:4222', ['us-east'])).toEqual({
    url: 'nats://host:4222',
    user: 'me',
    password: 'p@ss',
  });
  expect(() => existingBroker('nats://host:4222', ['us-east', 'ap-south'])).toThrow('one region');
  expect(() => existingBroker('nats://host:4222', ['eu-west'])).toThrow('one zone');
  expect(() => existingBroker('host', ['us-east'])).toThrow('not a URL');
});
