import type { Token } from '@causeway/protocol';
import type { AppendQueue } from '../append-queue.ts';
import type { CanvasRights } from '../canvas-rights.ts';
import type { Cells } from '../cells.ts';
import type { Channels } from '../channels.ts';
import type { Documents } from '../documents.ts';
import type { Generations } from '../generations.ts';
import type { HybridClock } from '../hybrid-time.ts';
import type { Lookup } from '../lookup.ts';
import type { Ahead } from './set.ts';

/** What the commands of one process work on. */
export type Context = {
  region: string;
  /** The regions of the zone, this one included. */
  regions: readonly string[];
  clock: HybridClock;
  documents: Documents;
  cells: Cells;
  ahead: Ahead;
  rights: CanvasRights;
  generations: Generations;
  channels: Channels;
  lookup: Lookup;
  queue: AppendQueue;
  /** The author clientID of this process as it is now (R8). */
  author(): number;
};

export type Answer = { id: string; token: Token };
