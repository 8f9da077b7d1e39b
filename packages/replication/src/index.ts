export * from './memory-bus.ts';
export * from './memory-directory.ts';
export * from './memory-network.ts';
export * from './memory-stream.ts';
export * from './timings.ts';
export * from './virtual-time.ts';
export { openNatsBus, type NatsBusOptions } from './nats-bus.ts';
export { NatsDirectory, type NatsDirectoryOptions } from './nats-directory.ts';
export type { BusLog, NatsAddress } from './nats-link.ts';
