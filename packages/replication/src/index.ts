export * from './memory-bus.ts';
export * from './memory-network.ts';
export * from './memory-stream.ts';
export * from './timings.ts';
