export * from './child.ts';
export * from './postgres/index.ts';
export * from './nats/index.ts';
export * from './links/index.ts';
export * from './world/index.ts';
