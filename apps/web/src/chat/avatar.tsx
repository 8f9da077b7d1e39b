import { hueOf } from '../member-color.ts';

/** A disc of a colour that stays the same for a member. */
export function Avatar({ member }: { member: string }) {
  return (
    <span className="avatar" aria-hidden="true" style={{ '--hue': hueOf(member) } as React.CSSProperties}>
      {member.slice(0, 1).toUpperCase()}
    </span>
  );
}
