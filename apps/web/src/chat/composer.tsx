import { LIMITS } from '@causeway/protocol';
import { useLayoutEffect, useRef, useState, type KeyboardEvent } from 'react';

type Props = {
  label: string;
  /** The text to start with. */
  text?: string;
  action?: string;
  autoFocus?: boolean;
  /** Kept while it is typed, in place of a text that is forgotten with the field. */
  draft?: [string, (body: string) => void];
  /** Called for every key. */
  typing?(): void;
  send(body: string): void;
  /** Esc and the button beside; without it there is nothing to cancel. */
  cancel?(): void;
};

/** A text field that sends on Enter; Shift+Enter is a new line, Esc cancels. */
export function Composer(props: Props) {
  const { label, text = '', action = 'Send', autoFocus = false, draft, typing, send, cancel } = props;
  const own = useState(text);
  const [body, setBody] = draft ?? own;
  const field = useRef<HTMLTextAreaElement>(null);
  const tooLong = body.length - LIMITS.bodyChars;

  useLayoutEffect(() => {
    if (!autoFocus) return;
    field.current?.focus();
    field.current?.setSelectionRange(text.length, text.length);
  }, [autoFocus, text]);

  const submit = (): void => {
    if (body.trim() === '' || tooLong > 0) return;
    send(body);
    setBody('');
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    // Enter also ends the composition of a character.
    if (event.nativeEvent.isComposing) return;
    if (event.key === 'Escape' && cancel !== undefined) {
      event.preventDefault();
      cancel();
    } else if (event.key === 'Enter' && !event.shiftKey) {
      event.preventDefault();
      submit();
    }
  };

  return (
    <form
      className="composer"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <textarea
        ref={field}
        aria-label={label}
        placeholder={label}
        rows={1}
        value={body}
        onChange={(event) => {
          setBody(event.target.value);
          if (event.target.value !== '') typing?.();
        }}
        onKeyDown={onKeyDown}
      />
      {cancel === undefined ? null : (
        <button type="button" onClick={cancel}>
          Cancel
        </button>
      )}
      <button type="submit" className="primary" disabled={body.trim() === '' || tooLong > 0}>
        {action}
      </button>
      {tooLong > 0 ? (
        <p className="bad" role="alert">
          {tooLong.toLocaleString()} characters too long.
        </p>
      ) : null}
    </form>
  );
}
