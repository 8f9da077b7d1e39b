import type { ChannelEntry } from '@causeway/client';
import type { Place } from '../place.ts';
import { Badge, isLoud } from './badge.tsx';
import { PlaceLink } from './place-link.tsx';

type Props = { entries: readonly ChannelEntry[]; place: Place; outside: Place; go(place: Place): void };

/** The channels that the member joined, starred ones first, the one that is open, and the workspace's first. */
export function ChannelLinks({ entries, place, outside, go }: Props) {
  const isHere = ({ id, slug }: ChannelEntry): boolean =>
    place.canvas === undefined && [id, slug].includes(place.channel ?? '');
  const shown = entries
    .filter((entry) => entry.kind !== 'direct' && (entry.isJoined || isHere(entry) || entry === entries[0]))
    .toSorted((a, b) => Number(b.isStarred) - Number(a.isStarred) || (a.slug < b.slug ? -1 : 1));
  return (
    <ul>
      {shown.map((entry) => (
        <li key={entry.id} className={classOf(entry)}>
          <PlaceLink to={{ ...outside, channel: entry.slug }} go={go} isHere={isHere(entry)}>
            <span className="faint">{entry.kind === 'private' ? '🔒' : entry.isStarred ? '★' : '#'}</span>{' '}
            <span className="label">{entry.slug}</span>
            <Badge entry={entry} />
          </PlaceLink>
        </li>
      ))}
    </ul>
  );
}

const classOf = (entry: ChannelEntry): string =>
  [isLoud(entry) ? 'loud' : '', entry.isMuted || entry.archived === true ? 'dim' : ''].join(' ');
