import type { Operation } from '../journal.ts';

/** What the crowd is made of; the worker's data. */
export type CrowdOptions = {
  seed: number;
  workspace: string;
  channels: string[];
  regions: { region: string; urls: string[] }[];
  members: { member: string; token: string; region: string }[];
  /** Documents of the canvases that are co-edited. */
  canvases: string[];
  /** Operations begun per second, all together. */
  rate: number;
};

/** To the crowd. */
export type Order =
  | { order: 'work' }
  /** Begin nothing new; what is under way goes on until it is answered. */
  | { order: 'rest' }
  /** Close the canvases too, and end. */
  | { order: 'leave' }
  /** So many posts at once to one process. */
  | { order: 'burst'; region: string; url: string; count: number };

/** From the crowd. */
export type Report =
  | { operation: Operation }
  | { started: number }
  | { failed: string }
  | { wrote: string; document: string }
  | { removes: string }
  | { saw: string; document: string; at: number }
  /** It rests, and nothing is under way. */
  | { idle: true }
  | { left: true };
