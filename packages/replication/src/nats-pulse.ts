import type { NatsConnection } from '@nats-io/transport-node';
import { TIMINGS } from './timings.ts';

const BEAT_MS = 1_000;

/**
 * Calls `silent` when nothing at all has come over a connection for `silenceMs`, not even the answer to
 * a ping. A link that was cut for some seconds is dialled anew then, since TCP would carry on only
 * when its next retransmission is due; and whoever listens learns that it may have missed something.
 */
export function keepPulse(connection: NatsConnection, silent: () => void): void {
  let heardAt = performance.now();
  let beatAt = heardAt;
  let messages = 0;
  const beat = setInterval(() => {
    const now = performance.now();
    const { inMsgs } = connection.stats();
    // A process that was stopped for a while has heard nothing either, which says nothing about the link.
    if (inMsgs > messages || now - beatAt > 2 * BEAT_MS) heardAt = now;
    messages = inMsgs;
    beatAt = now;
    if (now - heardAt >= TIMINGS.silenceMs) return silent();
    void connection.flush().then(
      () => (heardAt = performance.now()),
      () => undefined,
    );
  }, BEAT_MS);
  void connection.closed().then(() => clearInterval(beat));
}
