export * from './binary.ts';
export * from './config.ts';
export * from './server.ts';
export { MINIMUM_NATS_VERSION } from './version.ts';
export * from './directory-config.ts';
