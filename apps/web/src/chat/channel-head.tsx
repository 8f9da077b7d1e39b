import type { ChannelEntry, Client } from '@causeway/client';
import { useState } from 'react';
import { counted } from '../words.ts';

type Props = {
  client: Client;
  entry: ChannelEntry;
  title: string;
  topic: string;
  pins: number;
  showsPins: boolean;
  togglePins(): void;
};

/** What the channel is, and what this member makes of it. */
export function ChannelHead({ client, entry, title, topic, pins, showsPins, togglePins }: Props) {
  const { id, kind, isJoined, isMuted, isStarred } = entry;
  return (
    <header className="pane-head">
      <h1>
        {kind === 'private' ? '🔒 ' : null}
        {title}
      </h1>
      {kind === 'direct' ? null : <Topic client={client} channel={id} topic={topic} />}
      <span className="spacer" />
      {pins === 0 ? null : (
        <button type="button" className="bare" aria-expanded={showsPins} onClick={togglePins}>
          📌 {counted(pins, 'pin', 'pins')}
        </button>
      )}
      <Switch
        label={isStarred ? 'Take the star off' : 'Star'}
        on={isStarred}
        sign={isStarred ? '★' : '☆'}
        flip={() => void client.star(id, !isStarred)}
      />
      <Switch
        label={isMuted ? 'Unmute' : 'Mute'}
        on={isMuted}
        sign={isMuted ? '🔕' : '🔔'}
        flip={() => void client.mute(id, !isMuted)}
      />
      {kind === 'public' ? (
        <button
          type="button"
          className={isJoined ? 'bare' : 'primary'}
          onClick={() => void client.join(id, !isJoined)}
        >
          {isJoined ? 'Leave' : 'Join'}
        </button>
      ) : null}
    </header>
  );
}

type SwitchProps = { label: string; on: boolean; sign: string; flip(): void };

function Switch({ label, on, sign, flip }: SwitchProps) {
  return (
    <button type="button" className="bare" aria-pressed={on} aria-label={label} title={label} onClick={flip}>
      {sign}
    </button>
  );
}

/** A click edits it; Enter sets it, Esc leaves it as it was. */
function Topic({ client, channel, topic }: { client: Client; channel: string; topic: string }) {
  const [text, setText] = useState<string>();
  if (text === undefined)
    return (
      <button type="button" className="bare faint topic" title="Set the topic" onClick={() => setText(topic)}>
        {topic === '' ? 'Add a topic' : topic}
      </button>
    );
  const end = (isMeant: boolean): void => {
    if (isMeant && text.trim() !== topic) void client.setTopic(channel, text.trim());
    setText(undefined);
  };
  return (
    <input
      className="topic"
      aria-label="Topic"
      autoFocus
      maxLength={250}
      value={text}
      onChange={(event) => setText(event.target.value)}
      onBlur={() => end(false)}
      onKeyDown={(event) => {
        if (event.key === 'Enter') end(true);
        else if (event.key === 'Escape') end(false);
      }}
    />
  );
}
