import type { OutboxEntry } from '@causeway/client';
import type { Actions } from './actions.ts';
import { Failure } from './failure.tsx';

type Props = { entries: readonly OutboxEntry[]; actions: Actions };

/** Failed commands that belong to no message in sight. */
export function OtherFailures({ entries, actions }: Props) {
  if (entries.length === 0) return null;
  return (
    <div className="failures">
      {entries.map((entry) => (
        <Failure key={entry.id} entry={entry} actions={actions} />
      ))}
    </div>
  );
}
