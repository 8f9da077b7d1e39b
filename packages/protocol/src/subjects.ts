/**
 * NATS subjects. The zone is the account, so it stands in no subject.
 *
 *   u.<region>.<workspace>.<kind>.<id…>   updates and changed cells, stored in the zone's stream
 *   u.<region>.-.heartbeat                a heartbeat through the same pipe, once a second
 *   ae.<region>.<operation>               requests to a region: `hello` (repair follows)
 */
export const updateSubject = (region: string, name: string): string =>
  `u.${region}.${name.replaceAll('/', '.')}`;
export const updateSubjects = (region: string): string => `u.${region}.>`;
export const heartbeatSubject = (region: string): string => `u.${region}.-.heartbeat`;
export const requestSubject = (region: string, operation: 'hello'): string => `ae.${region}.${operation}`;

/** The name that an update subject carries; known even when the message itself is of a newer version. */
export const nameOfSubject = (subject: string): string => subject.split('.').slice(2).join('/');

/** The stream and the NATS account of a zone, e.g. `Z_GLOBAL`. */
export const streamOfZone = (zone: string): string => `Z_${zone.toUpperCase().replaceAll('-', '_')}`;
