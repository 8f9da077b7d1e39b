/** A hue that stays the same for a member, degrees. */
export const hueOf = (member: string): number =>
  [...member].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)!) % 360, 7);

const SATURATION = 0.55;
const LIGHTNESS = 0.42;

/** The colour of a member as `#rrggbb`, the form that editors' bindings take; white can be read on it. */
export function colorOf(member: string): string {
  const amplitude = SATURATION * Math.min(LIGHTNESS, 1 - LIGHTNESS);
  const channel = (offset: number): string => {
    const k = (offset + hueOf(member) / 30) % 12;
    const value = LIGHTNESS - amplitude * Math.max(-1, Math.min(k - 3, 9 - k, 1));
    return Math.round(value * 255)
      .toString(16)
      .padStart(2, '0');
  };
  return `#${channel(0)}${channel(8)}${channel(4)}`;
}
