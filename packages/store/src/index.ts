export { UnfitDatabase } from './faults.ts';
export * from './memory-store.ts';
export * from './open-postgres.ts';
export { PostgresStore } from './postgres-store.ts';
export { compareText } from '@causeway/protocol';
