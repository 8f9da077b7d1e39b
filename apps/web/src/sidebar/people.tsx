import type { ChannelEntry, Client } from '@causeway/client';
import { usePresence } from '@causeway/client/react';
import { titleOf } from '../chat/channel-title.ts';
import type { Place } from '../place.ts';
import { Badge, isLoud } from './badge.tsx';
import { PlaceLink } from './place-link.tsx';

type Props = {
  client: Client;
  members: readonly string[];
  entries: readonly ChannelEntry[];
  place: Place;
  outside: Place;
  go(place: Place): void;
};

/** Everybody in the workspace and whether they are here; a click talks to them alone. */
export function People({ client, members, entries, place, outside, go }: Props) {
  const presence = usePresence(client, members);
  const direct = entries.filter(({ kind }) => kind === 'direct');
  const groups = direct.filter(({ others = [] }) => others.length > 1);
  const isHere = (entry: ChannelEntry | undefined): boolean =>
    place.canvas === undefined && entry !== undefined && place.channel === entry.id;
  return (
    <ul>
      {members.map((member) => {
        const entry = direct.find(({ others = [] }) => others.length === 1 && others[0] === member);
        const state = presence.get(member) ?? 'offline';
        const talk = async (): Promise<void> => {
          const { id, opened } = client.openDirect([member]);
          // Until the region has it there is nothing to read; a failure stands below the messages.
          if (entry === undefined && !(await opened.then(Boolean, () => false))) return;
          go({ ...outside, channel: id });
        };
        return (
          <li key={member} className={entry !== undefined && isLoud(entry) ? 'loud' : ''}>
            <button
              type="button"
              className="person"
              aria-current={isHere(entry) ? 'page' : undefined}
              onClick={() => void talk()}
            >
              <span
                className={`presence ${state}`}
                role="img"
                aria-label={WORDS[state]}
                title={WORDS[state]}
              />
              <span className="label">
                {member}
                {member === client.member ? <span className="faint"> (you)</span> : null}
              </span>
              {entry === undefined ? null : <Badge entry={entry} />}
            </button>
          </li>
        );
      })}
      {groups.map((entry) => (
        <li key={entry.id} className={isLoud(entry) ? 'loud' : ''}>
          <PlaceLink to={{ ...outside, channel: entry.id }} go={go} isHere={isHere(entry)}>
            <span className="label">{titleOf(entry)}</span>
            <Badge entry={entry} />
          </PlaceLink>
        </li>
      ))}
    </ul>
  );
}

const WORDS = { online: 'online', away: 'away', dnd: 'do not disturb', offline: 'offline' };
