import type { Client } from '@causeway/client';
import { CausewayError } from '@causeway/protocol';
import { useState } from 'react';
import { inWords } from '../words.ts';

type Props = { client: Client; created(slug: string): void };

/** Names are decided at the home of the workspace, so this may take a moment, and may be refused. */
export function NewChannel({ client, created }: Props) {
  const [name, setName] = useState('');
  const [isPrivate, setPrivate] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<string>();
  const slug = name.trim().toLowerCase().replace(/\s+/g, '-');
  const create = async (): Promise<void> => {
    setBusy(true);
    setError(undefined);
    try {
      await client.createChannel(slug, { private: isPrivate });
      created(slug);
    } catch (cause) {
      setError(cause instanceof CausewayError ? inWords(cause) : String(cause));
    }
    setBusy(false);
  };
  return (
    <form
      className="new-channel"
      onSubmit={(event) => {
        event.preventDefault();
        if (!isBusy) void create();
      }}
    >
      <input
        aria-label="Name of a new channel"
        placeholder="new-channel"
        maxLength={64}
        value={name}
        onChange={(event) => setName(event.target.value)}
      />
      <label>
        <input type="checkbox" checked={isPrivate} onChange={(event) => setPrivate(event.target.checked)} />{' '}
        private
      </label>
      <button type="submit" className="primary" disabled={!SLUG.test(slug) || isBusy}>
        {isBusy ? 'Creating …' : 'Create'}
      </button>
      {error === undefined ? null : (
        <p className="bad" role="alert">
          {error}
        </p>
      )}
      {slug === '' || SLUG.test(slug) ? null : (
        <p className="faint">Small letters, digits, - and _; it begins with a letter or a digit.</p>
      )}
    </form>
  );
}

const SLUG = /^[a-z0-9][a-z0-9_-]{0,63}$/;
