/**
 * NATS subjects. The zone is the account, so it stands in no subject.
 *
 *   u.<region>.<workspace>.<kind>.<id…>   updates and changed cells, stored in the zone's stream
 *   u.<region>.-.heartbeat                a heartbeat through the same pipe, once a second
 *   f.<region>.<workspace>.<kind>.<id…>   what came from peers, told to the region's own processes, not stored
 *   p.<region>.<workspace>.<topic…>       presence, not stored; `-` where it is about no workspace
 *   ae.<region>.hello                     a peer asks what the region holds
 *   ae.<region>.stored                    a peer tells how far it has stored the region's stream
 *   ae.<region>.presence                  a question about presence, to every process of the region
 *   ae.<region>.ask                       a peer's question, answered by one process of the region
 *   ae.<region>.part.<peer>.<exchange>    the rest of a long question, and what has come of a long answer
 */
export const updateSubject = (region: string, name: string): string =>
  `u.${region}.${name.replaceAll('/', '.')}`;
export const updateSubjects = (region: string): string => `u.${region}.>`;
export const heartbeatSubject = (region: string): string => `u.${region}.-.heartbeat`;
export const tellSubject = (region: string, name: string): string =>
  `f.${region}.${name.replaceAll('/', '.')}`;
export const tellSubjects = (region: string): string => `f.${region}.>`;
export const presenceSubject = (region: string, topic: string): string =>
  `p.${region}.${topic.replaceAll('/', '.')}`;
export const presenceSubjects = (region: string): string => `p.${region}.>`;
export const requestSubject = (region: string, operation: 'hello' | 'stored' | 'presence' | 'ask'): string =>
  `ae.${region}.${operation}`;
/** An exchange is named by one more token. */
export const partSubject = (region: string, peer: string): string => `ae.${region}.part.${peer}`;

/** The name that an update subject carries; known even when the message itself is of a newer version. */
export const nameOfSubject = (subject: string): string => subject.split('.').slice(2).join('/');

/** The stream and the NATS account of a zone, e.g. `Z_GLOBAL`. */
export const streamOfZone = (zone: string): string => `Z_${zone.toUpperCase().replaceAll('-', '_')}`;

/** The stream of the directory: a key-value bucket named `directory`, in an account of its own. */
export const DIRECTORY_STREAM = 'KV_directory';
/** Where the record of a workspace stands; `*` for all. */
export const directorySubject = (workspace: string): string => `$KV.directory.workspace.${workspace}`;
