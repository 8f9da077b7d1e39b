import { LIMITS, type ListedVersion } from '@causeway/protocol';
import { useState } from 'react';
import { exactTime } from '../words.ts';

type Props = {
  versions: readonly ListedVersion[];
  /** Absent for who may only view. */
  keep?: ((title: string) => Promise<unknown>) | undefined;
  restore?: ((version: string) => Promise<unknown>) | undefined;
};

/** What was kept of the canvas under names, the newest first. */
export function VersionsPanel({ versions, keep, restore }: Props) {
  return (
    <aside className="versions" aria-label="Versions">
      <h2>Versions</h2>
      {keep === undefined ? null : <KeepVersion keep={keep} />}
      {versions.length === 0 ? <p className="faint">None yet.</p> : null}
      <ol>
        {versions.map((version) => (
          <VersionRow key={version.id} version={version} restore={restore} />
        ))}
      </ol>
    </aside>
  );
}

function KeepVersion({ keep }: Required<Pick<Props, 'keep'>>) {
  const [title, setTitle] = useState('');
  const [isBusy, setBusy] = useState(false);
  const submit = async (): Promise<void> => {
    const name = title.trim();
    if (name === '' || isBusy) return;
    setBusy(true);
    // What goes wrong stands below the text, with a way to try again.
    await keep!(name).then(
      () => setTitle(''),
      () => undefined,
    );
    setBusy(false);
  };
  return (
    <form
      className="keep"
      onSubmit={(event) => {
        event.preventDefault();
        void submit();
      }}
    >
      <input
        aria-label="Name of a new version"
        placeholder="Keep as …"
        maxLength={LIMITS.titleChars}
        value={title}
        onChange={(event) => setTitle(event.target.value)}
      />
      <button type="submit" disabled={title.trim() === '' || isBusy}>
        Keep
      </button>
    </form>
  );
}

type RowProps = { version: ListedVersion } & Pick<Props, 'restore'>;

function VersionRow({ version: { id, title, by, at }, restore }: RowProps) {
  const [step, setStep] = useState<'listed' | 'asked' | 'under-way'>('listed');
  const confirmed = async (): Promise<void> => {
    setStep('under-way');
    await restore!(id).catch(() => undefined);
    setStep('listed');
  };
  return (
    <li>
      <strong>{title}</strong>
      <p className="faint">
        {by}, <time dateTime={new Date(at).toISOString()}>{exactTime(at)}</time>
      </p>
      {restore === undefined ? null : step === 'asked' ? (
        <div role="group" aria-label={`Restore ${title}?`} className="ask">
          <span>Replace the text with this?</span>
          <button type="button" className="danger" onClick={() => void confirmed()}>
            Replace
          </button>
          <button type="button" autoFocus onClick={() => setStep('listed')}>
            Cancel
          </button>
        </div>
      ) : (
        <button
          type="button"
          className="quiet"
          disabled={step === 'under-way'}
          aria-label={`Restore ${title}`}
          onClick={() => setStep('asked')}
        >
          {step === 'under-way' ? 'Restoring …' : 'Restore'}
        </button>
      )}
    </li>
  );
}
