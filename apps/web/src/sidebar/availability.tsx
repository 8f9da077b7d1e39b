import type { Client } from '@causeway/client';
import { usePresence } from '@causeway/client/react';
import type { AvailabilityMode } from '@causeway/protocol';

const MODES: Record<AvailabilityMode, string> = {
  auto: 'Online',
  away: 'Away',
  dnd: 'Do not disturb',
};

/** How others see this member, by hand. */
export function Availability({ client }: { client: Client }) {
  const state = usePresence(client, [client.member]).get(client.member);
  return (
    <select
      className="availability"
      aria-label="Your availability"
      value={state === 'dnd' || state === 'away' ? state : 'auto'}
      onChange={(event) => void client.setAvailability(event.target.value as AvailabilityMode)}
    >
      {Object.entries(MODES).map(([mode, words]) => (
        <option key={mode} value={mode}>
          {words}
        </option>
      ))}
    </select>
  );
}
