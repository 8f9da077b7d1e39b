import { millisOf, type ShownMessage } from '@causeway/client';
import { exactTime } from '../words.ts';

/** What the message said before, the losing side of a concurrent edit included. */
export function EditHistory({ message: { history = [] } }: { message: ShownMessage }) {
  return (
    <ol className="history" aria-label="Earlier versions">
      {history.map(({ body, v }) => (
        <li key={`${v} ${body}`}>
          <time>{exactTime(millisOf(v))}</time>
          <p className="body">{body}</p>
        </li>
      ))}
    </ol>
  );
}
