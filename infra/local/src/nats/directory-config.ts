import { DIRECTORY_STREAM, directorySubject } from '@causeway/protocol';

/** A member of the directory: a nats-server of its own in one region. */
export type DirectoryConfigOptions = {
  region: string;
  port: number;
  /** Where `/healthz` says whether it has everything that the others have; none by default. */
  monitorPort?: number;
  /** Folder of the bucket. */
  storeDir: string;
  /** Every region that may ask, member or not. */
  users: readonly { region: string; password: string }[];
  /** Password of `sys`, the operator. */
  sys: string;
  /** How the members find each other; none for a directory of one. */
  cluster?: {
    port: number;
    password: string;
    /** Ports at which this region reaches the others. */ others: readonly number[];
  };
};

/** The configuration of one member, in nats-server's own syntax. */
export function directoryConfig(options: DirectoryConfigOptions): string {
  const { region, port, monitorPort, storeDir, users, sys, cluster } = options;
  return `server_name: ${quoted(`directory-${region}`)}
listen: "127.0.0.1:${port}"
${monitorPort === undefined ? '' : `http: "127.0.0.1:${monitorPort}"\n`}max_payload: 64KB
ping_interval: "2s"
ping_max: 2
write_deadline: "5s"
jetstream {
  store_dir: ${quoted(storeDir)}
  max_file_store: 1GB
  max_memory_store: 16MB
  # What it acknowledged is decided: it must be on the disk, and not only on its way there.
  sync_interval: always
}
accounts {
  SYS { users: [ { user: sys, password: ${quoted(sys)} } ] }
  DIRECTORY {
    jetstream: enabled
    users: [
      ${users.map(userEntry).join('\n      ')}
    ]
  }
}
system_account: SYS
${cluster === undefined ? '' : clusterBlock(cluster)}`;
}

/** A region reads and puts records, and makes the bucket where it is missing; it deletes nothing. */
function userEntry({ region, password }: { region: string; password: string }): string {
  const publish = [
    `$JS.API.STREAM.CREATE.${DIRECTORY_STREAM}`,
    `$JS.API.STREAM.MSG.GET.${DIRECTORY_STREAM}`,
    directorySubject('*'),
  ];
  return `{ user: ${quoted(region)}, password: ${quoted(password)}, permissions: {
        publish: { allow: ${JSON.stringify(publish)} }
        subscribe: { allow: ${JSON.stringify([`_INBOX_${region}.>`])} }
      } }`;
}

/**
 * Members know each other by the ways that are written here and by no other: what one told the others of its
 * address would lead around the simulated link.
 */
function clusterBlock({ port, password, others }: NonNullable<DirectoryConfigOptions['cluster']>): string {
  const routes = others.map((other) => quoted(`nats://member:${password}@127.0.0.1:${other}`));
  return `cluster {
  name: directory
  listen: "127.0.0.1:${port}"
  no_advertise: true
  advertise: "127.0.0.1:1"
  pool_size: -1
  compression: off
  authorization { user: member, password: ${quoted(password)}, timeout: 5 }
  routes: [ ${routes.join(', ')} ]
}
`;
}

const quoted = (text: string): string => JSON.stringify(text);
