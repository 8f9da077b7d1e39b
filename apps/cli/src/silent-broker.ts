import { setTimeout as pause } from 'node:timers/promises';
import type { RegionStatus, World } from '@causeway/local';

const PATIENCE_MS = 3_000;
const LOOK_EVERY_MS = 200;

type Patience = { signal: AbortSignal; patienceMs?: number; everyMs?: number };

/**
 * What to tell the person when the broker that `NATS_URL` names stays silent, with its address. A
 * world that runs its own brokers is not kept waiting.
 */
export async function silentBroker(
  world: Pick<World, 'regions' | 'status'>,
  { signal, patienceMs = PATIENCE_MS, everyMs = LOOK_EVERY_MS }: Patience,
): Promise<string | undefined> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const silent = (await world.status()).regions.find(missesItsBroker);
    if (silent === undefined || signal.aborted) return undefined;
    if (performance.now() >= deadline)
      return (
        `NATS at ${world.regions[silent.region]!.natsUrl} does not answer yet: ` +
        'writing goes on, other regions do not hear of it.'
      );
    await pause(everyMs, undefined, { signal }).catch(() => undefined);
  }
}

const missesItsBroker = ({ parts, broker }: RegionStatus): boolean =>
  parts.nats.state === 'external' && broker === 'down';
