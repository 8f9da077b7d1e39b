import type { Bus, StoredUpTo } from '@causeway/replica';
import { vi } from 'vitest';

/**
 * A zone of two regions, `us` and `eu`, and the region `ap` outside of it. Faults are those that
 * happen: the buses must tell them apart from silence, and lose nothing.
 */
export type BusWorld = {
  /** The bus of a new process of a region. */
  bus(region: 'us' | 'eu'): Bus;
  /** Nothing passes between the two regions, and nobody is told. */
  cut(): void;
  heal(): void;
  /** Connections between the two break, new ones are possible. */
  reset(): void | Promise<void>;
  /** The broker of a region dies without notice, and comes back with its disk. */
  kill(region: 'us' | 'eu'): void | Promise<void>;
  start(region: 'us' | 'eu'): void | Promise<void>;
  /** Somebody deletes a region's stream. */
  deleteStream(region: 'us' | 'eu'): void | Promise<void>;
  /** Deletes the messages before `sequence`, as retention does. */
  purge(region: 'us' | 'eu', sequence: number): void | Promise<void>;
  close(): Promise<void>;
};

const PATIENCE_MS = 15_000;

export const until = (holds: () => void | Promise<void>): Promise<unknown> =>
  vi.waitFor(holds, { timeout: PATIENCE_MS, interval: 5 });

export const text = (id: string): Uint8Array => new TextEncoder().encode(`bytes of ${id}`);
export const message = (id: string, bytes = text(id)) => ({ id, name: 'acme/segment/general/1', bytes });
export const numbered = (count: number, prefix = 'm'): string[] =>
  Array.from({ length: count }, (_, n) => `${prefix}${n}`);

export const publish = (bus: Bus, ids: readonly string[]): Promise<{ sequence: number; repeat: boolean }[]> =>
  Promise.all(ids.map((id) => bus.publish(message(id))));

export const told = (id: string): { name: string; bytes: Uint8Array } => ({
  name: 'acme/canvas/c1',
  bytes: text(id),
});
export const stored = (sequence: number): StoredUpTo => ({
  region: 'eu',
  incarnation: 'i1',
  sequence,
  messageId: `i1.${sequence}`,
});
