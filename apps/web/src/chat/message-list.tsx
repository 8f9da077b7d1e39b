import type { ChannelSnapshot, ShownMessage } from '@causeway/client';
import { Fragment, useMemo } from 'react';
import { dayOf } from '../words.ts';
import type { Actions } from './actions.ts';
import { ThreadView } from './thread-view.tsx';
import { threadsOf, type Thread } from './threads.ts';
import { useStickyBottom } from './use-sticky-bottom.ts';

type Props = {
  messages: readonly ShownMessage[];
  older: ChannelSnapshot['older'];
  loadOlder(): void;
  actions: Actions;
};

/** All threads, oldest first; stays at the end while the reader is there. */
export function MessageList({ messages, older, loadOlder, actions }: Props) {
  const threads = useMemo(() => threadsOf(messages), [messages]);
  const { list, isAtEnd, toEnd } = useStickyBottom(messages);
  return (
    <div className="list-frame">
      <div className="list" ref={list} role="log" aria-label="Messages" tabIndex={0}>
        <Older older={older} loadOlder={loadOlder} isEmpty={messages.length === 0} />
        {threads.map((thread, at) => (
          <Fragment key={thread.root.id}>
            <DayLine thread={thread} before={threads[at - 1]} />
            <ThreadView thread={thread} actions={actions} follows={follows(thread, threads[at - 1])} />
          </Fragment>
        ))}
      </div>
      {isAtEnd ? null : (
        <button type="button" className="to-end" onClick={toEnd}>
          ↓ To the newest
        </button>
      )}
    </div>
  );
}

function Older({ older, loadOlder, isEmpty }: Pick<Props, 'older' | 'loadOlder'> & { isEmpty: boolean }) {
  if (older === 'loading') return <p className="edge faint">Loading …</p>;
  if (older === 'none')
    return <p className="edge faint">{isEmpty ? 'Nothing here yet. Say something.' : 'The beginning.'}</p>;
  if (older === 'full') return <p className="edge faint">This window shows no more than this.</p>;
  return (
    <p className="edge">
      <button type="button" onClick={loadOlder}>
        Load older
      </button>
    </p>
  );
}

function DayLine({ thread, before }: { thread: Thread; before: Thread | undefined }) {
  const day = dayOf(thread.root.at);
  if (before !== undefined && dayOf(before.root.at) === day) return null;
  return (
    <div className="day" role="separator">
      <span>{day}</span>
    </div>
  );
}

const ONE_BREATH_MS = 5 * 60_000;

/** Whether it goes on with what the same person said just before, in the same region. */
function follows({ root }: Thread, before: Thread | undefined): boolean {
  if (before === undefined || before.replies.length > 0) return false;
  const { author, region, at } = before.root;
  return (
    author === root.author && (region === root.region || root.region === '') && root.at - at < ONE_BREATH_MS
  );
}
