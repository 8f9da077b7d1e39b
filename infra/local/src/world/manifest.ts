import { Manifest } from '@causeway/region';
import { Value } from 'typebox/value';
import type { Workspace } from './demo.ts';
import { regionsOf, zonesOf, type Ports } from './layout.ts';
import type { PublicKey } from './secrets.ts';

/** What the manifests of one world are made of. */
export type ManifestSources = {
  running: readonly string[];
  ports: Ports;
  postgresUrl: string;
  /** Where, and as whom, `reader` reaches the broker of `of`, which may be its own. */
  broker(zone: string, reader: string, of: string): Manifest['zones'][number]['nats'];
  publicKey(region: string): PublicKey;
  /** At which member it asks the directory; undefined where the world has none. */
  directory(region: string): Manifest['directory'];
  workspaces: readonly Workspace[];
};

export const urlOf = (port: number): string => `http://127.0.0.1:${port}`;

/**
 * Everything that this region needs to know, as its `nth` server reads it. Servers of one region
 * differ in where they listen; to everybody else the region is its first one.
 */
export function manifestOf(region: string, from: ManifestSources, nth = 0): Manifest {
  const { running, ports } = from;
  const port = ports.server(region, nth);
  const directory = from.directory(region);
  const manifest: Manifest = {
    region,
    listen: { host: '127.0.0.1', port },
    url: urlOf(port),
    webOrigins: [urlOf(ports.web), `http://localhost:${ports.web}`],
    postgres: from.postgresUrl,
    zones: zonesOf(region).map((zone) => ({
      zone,
      nats: from.broker(zone, region, region),
      peers: regionsOf(zone, running)
        .filter((peer) => peer !== region)
        .map((peer) => ({ region: peer, nats: from.broker(zone, region, peer) })),
    })),
    regions: running.map((each) => ({
      region: each,
      url: urlOf(ports.region(each)),
      zones: zonesOf(each),
      publicKey: from.publicKey(each),
    })),
    ...(directory === undefined ? {} : { directory }),
    workspaces: [...from.workspaces],
  };
  Value.Assert(Manifest, manifest);
  return manifest;
}
