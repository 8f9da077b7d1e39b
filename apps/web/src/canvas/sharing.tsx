import type { CanvasShares, Right } from '@causeway/protocol';
import { useState } from 'react';

type Props = { shares: CanvasShares | undefined; member: string; share(right: Right): Promise<unknown> };

/** What everybody may do who is not named; its author alone says so. */
export function Sharing({ shares, member, share }: Props) {
  /** What was chosen, until the region has it. */
  const [chosen, setChosen] = useState<Right>();
  if (shares?.author !== member) return null;
  const given = shares.items.find(({ to }) => to === '*')?.right ?? 'edit';
  const choose = async (right: Right): Promise<void> => {
    setChosen(right);
    // What goes wrong stands below the text, with a way to try again.
    await share(right).catch(() => undefined);
    setChosen(undefined);
  };
  return (
    <label className="choice">
      <span>Others may</span>
      <select value={chosen ?? given} onChange={(event) => void choose(event.target.value as Right)}>
        <option value="edit">edit</option>
        <option value="view">view</option>
        {given === 'none' ? <option value="none">not see it</option> : null}
      </select>
    </label>
  );
}
