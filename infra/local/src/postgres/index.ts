export { postgresDataFolder } from './data-folder.ts';
export * from './start.ts';
export * from './test-postgres.ts';
