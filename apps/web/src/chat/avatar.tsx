/** A disc of a colour that stays the same for a member. */
export function Avatar({ member }: { member: string }) {
  const hue = [...member].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)!) % 360, 7);
  return (
    <span className="avatar" aria-hidden="true" style={{ '--hue': hue } as React.CSSProperties}>
      {member.slice(0, 1).toUpperCase()}
    </span>
  );
}
