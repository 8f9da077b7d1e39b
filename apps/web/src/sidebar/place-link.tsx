import type { MouseEvent, ReactNode } from 'react';
import { addressOf, type Place } from '../place.ts';

type Props = { to: Place; go(place: Place): void; isHere: boolean; className?: string; children: ReactNode };

/** A real link, so that it can be opened in another window; a plain click stays in this one. */
export function PlaceLink({ to, go, isHere, className, children }: Props) {
  const onClick = (event: MouseEvent): void => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    go(to);
  };
  return (
    <a
      href={addressOf(to)}
      onClick={onClick}
      className={className}
      aria-current={isHere ? 'page' : undefined}
    >
      {children}
    </a>
  );
}
