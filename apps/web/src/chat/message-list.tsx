import type { ChannelSnapshot, ShownMessage } from '@causeway/client';
import { Fragment, useEffect, useMemo } from 'react';
import { dayOf } from '../words.ts';
import type { Actions } from './actions.ts';
import { MessageItem } from './message-item.tsx';
import { useStickyBottom } from './use-sticky-bottom.ts';

type Props = {
  messages: readonly ShownMessage[];
  /** Ids of those that are pinned. */
  pins: readonly string[];
  older: ChannelSnapshot['older'];
  loadOlder(): void;
  /** The newest message came into sight, or left it. */
  onEnd(isAtEnd: boolean): void;
  actions: Actions;
};

/** What was said in the channel itself, oldest first; stays at the end while the reader is there. */
export function MessageList({ messages, pins, older, loadOlder, onEnd, actions }: Props) {
  const shown = useMemo(
    () => messages.filter(({ thread, also }) => thread === undefined || also === true),
    [messages],
  );
  const { list, isAtEnd, toEnd } = useStickyBottom(shown);
  useEffect(() => onEnd(isAtEnd), [isAtEnd, onEnd]);
  return (
    <div className="list-frame">
      <div
        className="list"
        ref={list}
        role="log"
        aria-label="Messages"
        tabIndex={0}
        onScroll={({ currentTarget }) => {
          // The button stays for who cannot scroll, and for when a page could not be read.
          if (older === 'more' && currentTarget.scrollTop < NEAR_TOP) loadOlder();
        }}
      >
        <Older older={older} loadOlder={loadOlder} isEmpty={shown.length === 0} />
        {shown.map((message, at) => (
          <Fragment key={message.id}>
            <DayLine message={message} before={shown[at - 1]} />
            <MessageItem
              message={message}
              isPinned={pins.includes(message.id)}
              showsThread
              actions={actions}
              follows={follows(message, shown[at - 1])}
            />
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

function DayLine({ message, before }: { message: ShownMessage; before: ShownMessage | undefined }) {
  const day = dayOf(message.at);
  if (before !== undefined && dayOf(before.at) === day) return null;
  return (
    <div className="day" role="separator">
      <span>{day}</span>
    </div>
  );
}

/** Pixels from the oldest message at which older ones are asked for. */
const NEAR_TOP = 150;
const ONE_BREATH_MS = 5 * 60_000;

/** Whether it goes on with what the same person said just before, in the same region. */
function follows(message: ShownMessage, before: ShownMessage | undefined): boolean {
  if (before === undefined || before.replies !== undefined || message.thread !== undefined) return false;
  const { author, region, at } = before;
  return (
    author === message.author &&
    (region === message.region || message.region === '') &&
    message.at - at < ONE_BREATH_MS
  );
}
