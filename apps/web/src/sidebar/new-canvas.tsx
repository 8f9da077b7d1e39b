import type { Client } from '@causeway/client';
import type { Canvas } from '@causeway/protocol';
import { useState } from 'react';

type Props = { client: Client; created(canvas: Canvas): void };

export function NewCanvas({ client, created }: Props) {
  const [title, setTitle] = useState('');
  const [isBusy, setBusy] = useState(false);
  const create = async (): Promise<void> => {
    if (title.trim() === '') return;
    setBusy(true);
    try {
      created(await client.createCanvas(title.trim()));
      setTitle('');
    } catch {
      // What went wrong stands below the messages, with a way to try again.
    }
    setBusy(false);
  };
  return (
    <form
      className="new-canvas"
      onSubmit={(event) => {
        event.preventDefault();
        void create();
      }}
    >
      <input
        aria-label="Title of a new canvas"
        placeholder="New canvas"
        maxLength={250}
        value={title}
        onChange={(event) => setTitle(event.target.value)}
      />
      <button type="submit" disabled={title.trim() === '' || isBusy} aria-label="Create canvas">
        +
      </button>
    </form>
  );
}
