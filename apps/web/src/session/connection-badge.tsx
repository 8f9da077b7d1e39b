import type { ConnectionStatus, OutboxEntry } from '@causeway/client';

const WORDS: Record<ConnectionStatus, string> = {
  connecting: 'connecting to',
  live: 'live in',
  reconnecting: 'reconnecting to',
  stopped: 'stopped at',
};
const TONES: Record<ConnectionStatus, string> = {
  connecting: 'warn',
  live: 'good',
  reconnecting: 'warn',
  stopped: 'bad',
};

type Props = { connection: ConnectionStatus; region: string; outbox: readonly OutboxEntry[] };

/** How this window is connected, and what it has not got rid of. */
export function ConnectionBadge({ connection, region, outbox }: Props) {
  const waiting = outbox.filter(({ state }) => state !== 'failed').length;
  return (
    <span className="badge" role="status" data-connection={connection}>
      <span className={`dot ${TONES[connection]}`} aria-hidden="true" />
      {WORDS[connection]} {region}
      {waiting > 0 && connection !== 'live' ? <span className="faint"> · {waiting} to send</span> : null}
    </span>
  );
}
