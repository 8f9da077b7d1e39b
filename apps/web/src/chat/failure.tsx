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
  pin: 'Not pinned.',
  purpose: 'Purpose not set.',
  join: 'Not joined.',
  mute: 'Not muted.',
  star: 'Not starred.',
  follow: 'Thread not followed.',
  unread: 'Not marked as unread.',
  draft: 'Draft not kept.',
  availability: 'Availability not set.',
  direct: 'Conversation not opened.',
  schedule: 'Not scheduled.',
  unschedule: 'Not cancelled.',
  canvas: 'Canvas not created.',
  retitle: 'Title not set.',
  share: 'Rights not changed.',
  version: 'Version not kept.',
  restore: 'Version not restored.',
};

/** A command that was given up: why, and what can be done about it. */
export function Failure({
  entry,
  actions,
}: {
  entry: OutboxEntry;
  actions: Pick<Actions, 'retry' | 'discard'>;
}) {
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
