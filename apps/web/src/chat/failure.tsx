import type { OutboxEntry } from '@causeway/client';
import { inWords } from '../words.ts';
import type { Actions } from './actions.ts';

const WHAT: Record<OutboxEntry['command']['kind'], string> = {
  post: 'Not sent.',
  edit: 'Not edited.',
  delete: 'Not deleted.',
  react: 'Reaction not set.',
  topic: 'Topic not set.',
  read: 'Not marked as read.',
  canvas: 'Canvas not created.',
};

/** A command that was given up: why, and what can be done about it. */
export function Failure({ entry, actions }: { entry: OutboxEntry; actions: Actions }) {
  return (
    <p className="failure" role="alert">
      {WHAT[entry.command.kind]} {entry.error === undefined ? null : inWords(entry.error)}{' '}
      <button type="button" onClick={() => actions.retry(entry.id)}>
        Try again
      </button>
      <button type="button" onClick={() => actions.discard(entry.id)}>
        Discard
      </button>
    </p>
  );
}
