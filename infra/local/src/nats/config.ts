import {
  partSubject,
  presenceSubjects,
  requestSubject,
  streamOfZone,
  updateSubjects,
} from '@causeway/protocol';

export type NatsPeer = { region: string; password: string };

/** A zone that a server is in. A zone that is not listed has no account there at all (R6). */
export type NatsZone = {
  zone: string;
  /** Password of `appUser`, the region itself. */
  app: string;
  /** The other regions of the zone, each a `peerUser`. */
  peers: readonly NatsPeer[];
};

export type NatsConfigOptions = {
  region: string;
  port: number;
  /** Folder of the streams. */
  storeDir: string;
  zones: readonly NatsZone[];
  /** Password of `sys`, the operator. */
  sys: string;
};

/** The user that a region is on its own server. A name must be unique on a server, over all accounts. */
export const appUser = (zone: string): string => `app_${zone}`;

/** The user as which a peer reads here. */
export const peerUser = (zone: string, region: string): string => `peer_${region}_${zone}`;

/** The configuration of one region's nats-server, in its own syntax. */
export function natsConfig(options: NatsConfigOptions): string {
  const { region, port, storeDir, zones, sys } = options;
  return `server_name: ${quoted(region)}
listen: "127.0.0.1:${port}"
# One update per message; what is larger travels in chunks.
max_payload: 1MB
# A dead connection is noticed after 15 s from either side.
ping_interval: "5s"
ping_max: 2
write_deadline: "5s"
jetstream {
  store_dir: ${quoted(storeDir)}
  # Bounds, and independent of the free disk: each zone's stream takes 1 GiB, consumers live in memory.
  max_file_store: ${2 * Math.max(zones.length, 1)}GB
  max_memory_store: 64MB
}
accounts {
  SYS { users: [ { user: sys, password: ${quoted(sys)} } ] }
${zones.map((zone) => account(region, zone)).join('\n')}
}
system_account: SYS
`;
}

function account(region: string, { zone, app, peers }: NatsZone): string {
  const name = streamOfZone(zone);
  const users = [
    `{ user: ${quoted(appUser(zone))}, password: ${quoted(app)} }`,
    ...peers.map((peer) => peerEntry(region, zone, peer)),
  ];
  return `  ${name} {
    jetstream: enabled
    users: [
      ${users.join('\n      ')}
    ]
  }`;
}

/**
 * All that a peer may do here: keep its one consumer of our updates, read it, say hello, report
 * what it has stored, ask and hear presence. What our processes say to each other it never hears.
 */
function peerEntry(region: string, zone: string, peer: NatsPeer): string {
  const consumer = `${streamOfZone(zone)}.peer_${peer.region}`;
  const publish = [
    `$JS.API.CONSUMER.CREATE.${consumer}.${updateSubjects(region)}`,
    `$JS.API.CONSUMER.DELETE.${consumer}`,
    `$JS.API.CONSUMER.INFO.${consumer}`,
    `$JS.API.CONSUMER.MSG.NEXT.${consumer}`,
    requestSubject(region, 'hello'),
    requestSubject(region, 'stored'),
    requestSubject(region, 'presence'),
    requestSubject(region, 'ask'),
    `${partSubject(region, peer.region)}.*`,
  ];
  const subscribe = [`_INBOX_${peer.region}.>`, presenceSubjects(region)];
  return `{ user: ${quoted(peerUser(zone, peer.region))}, password: ${quoted(peer.password)}, permissions: {
        publish: { allow: ${JSON.stringify(publish)} }
        subscribe: { allow: ${JSON.stringify(subscribe)} }
      } }`;
}

const quoted = (text: string): string => JSON.stringify(text);
