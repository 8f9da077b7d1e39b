import type { CanvasSnapshot } from '@causeway/client';
import { usePeople } from './people.ts';

type Props = { awareness: CanvasSnapshot['awareness']; member: string };

/** Who has the canvas open, in the colours of their carets. */
export function PeopleHere({ awareness, member }: Props) {
  const people = usePeople(awareness);
  return (
    <ul className="people" aria-label="Who is here">
      {people.map(({ name, color }) => (
        <li key={name} style={{ backgroundColor: color }} title={name === member ? `${name} (you)` : name}>
          <span aria-hidden="true">{name.slice(0, 1).toUpperCase()}</span>
          <span className="unseen">{name}</span>
        </li>
      ))}
    </ul>
  );
}
