export { homeOf, natsCacheFolder, runningWorld, type Claim } from './claim.ts';
export type { LinksRequest, PartsRequest, RebuildLine } from './control.ts';
export { DEMO_MEMBERS, type Workspace } from './demo.ts';
export { WorldError } from '../error.ts';
export { findBasePort } from './free-ports.ts';
export { basePortOf, chooseRegions, MAX_SERVERS, REGIONS } from './layout.ts';
export type { Progress, WorldOptions } from './options.ts';
export type { PartState } from './part.ts';
export type { WorldRegion } from './plan.ts';
export {
  SERVERS,
  type PartName,
  type PartStatus,
  type PeerStatus,
  type RegionStatus,
  type ServerName,
  type WorldStatus,
  type ZoneStatus,
} from './status.ts';
export { startWorld } from './start.ts';
export type { World } from './world.ts';
