export * from './delays.ts';
export * from './links.ts';
export type { CutMode, RoadState } from './road.ts';
export type { Target } from './connection.ts';
