import { LIMITS } from '@causeway/protocol';
import { useEffect, useState, type KeyboardEvent } from 'react';

type Props = {
  title: string;
  /** Resolves when the region has it; without it the title is only shown. */
  retitle?: ((title: string) => Promise<unknown>) | undefined;
};

/** The title, which is written in place: Enter or leaving it is the end, Esc takes it back. */
export function CanvasTitle({ title, retitle }: Props) {
  const [text, setText] = useState(title);
  const [isBusy, setBusy] = useState(false);
  const [isHere, setHere] = useState(false);

  useEffect(() => {
    if (!isHere && !isBusy) setText(title);
  }, [title, isHere, isBusy]);

  if (retitle === undefined) return <h1>{title}</h1>;
  const end = async (): Promise<void> => {
    setHere(false);
    const next = text.trim();
    if (next === '' || next === title) return setText(title);
    setBusy(true);
    try {
      await retitle(next);
    } catch {
      // What went wrong stands below the text, with a way to try again.
      setText(title);
    }
    setBusy(false);
  };
  const onKeyDown = (event: KeyboardEvent<HTMLInputElement>): void => {
    if (event.nativeEvent.isComposing) return;
    if (event.key === 'Escape') setText(title);
    if (event.key === 'Enter') event.currentTarget.blur();
  };
  return (
    <h1 className="title">
      <input
        aria-label="Title"
        maxLength={LIMITS.titleChars}
        value={text}
        onFocus={() => setHere(true)}
        onBlur={() => void end()}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={onKeyDown}
      />
    </h1>
  );
}
