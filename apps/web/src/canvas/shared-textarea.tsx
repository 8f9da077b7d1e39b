import type { CanvasText } from '@causeway/client';
import { useEffect, useRef, type KeyboardEvent } from 'react';
import { changeBetween, movedBy } from './text-change.ts';

/** A text area that several people write in; each keeps their own caret and selection. */
export function SharedTextarea({ canvas, label }: { canvas: CanvasText; label: string }) {
  const field = useRef<HTMLTextAreaElement>(null);

  useEffect(() => {
    const area = field.current;
    if (area === null) return;
    return bind(area, canvas);
  }, [canvas]);

  const onKeyDown = (event: KeyboardEvent): void => {
    // The browser's own history does not know of what others wrote.
    if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== 'z') return;
    event.preventDefault();
    if (event.shiftKey) canvas.redo();
    else canvas.undo();
  };
  return <textarea ref={field} className="sheet" aria-label={label} spellCheck onKeyDown={onKeyDown} />;
}

/** Keeps the area and the text equal until the returned function is called. */
function bind(area: HTMLTextAreaElement, canvas: CanvasText): () => void {
  let shown = canvas.getSnapshot().text;
  area.value = shown;

  const write = (): void => {
    const change = changeBetween(shown, area.value, area.selectionEnd);
    shown = area.value;
    if (change !== undefined) canvas.change(change);
  };
  const onInput = (event: Event): void => {
    // A half-composed character is not text yet.
    if (!(event as InputEvent).isComposing) write();
  };
  const leave = canvas.onRemote((changes) => {
    // What is being composed is written first, or the change would be taken for its opposite.
    if (area.value !== shown) write();
    const { selectionStart, selectionEnd, selectionDirection, scrollTop } = area;
    const [start, end] = [selectionStart, selectionEnd].map((position) =>
      changes.reduce((at, change) => movedBy(change, at), position),
    );
    shown = canvas.getSnapshot().text;
    area.value = shown;
    area.setSelectionRange(start!, end!, selectionDirection);
    area.scrollTop = scrollTop;
  });
  area.addEventListener('input', onInput);
  area.addEventListener('compositionend', write);
  return () => {
    leave();
    area.removeEventListener('input', onInput);
    area.removeEventListener('compositionend', write);
  };
}
