import { useCallback, useEffect, useLayoutEffect, useRef, useState, type RefObject } from 'react';

type Sticky = { list: RefObject<HTMLDivElement | null>; isAtEnd: boolean; toEnd(): void };

/** Nearer to the end than this is at the end, pixels. */
const NEAR = 48;

/** Keeps a list at its end while its reader is there, whatever is added. */
export function useStickyBottom(content: unknown): Sticky {
  const list = useRef<HTMLDivElement>(null);
  const sticks = useRef(true);
  const [isAtEnd, setAtEnd] = useState(true);

  const toEnd = useCallback(() => {
    const { current } = list;
    if (current !== null) current.scrollTop = current.scrollHeight;
  }, []);

  useEffect(() => {
    const { current } = list;
    if (current === null) return;
    const look = (): void => {
      sticks.current = current.scrollHeight - current.scrollTop - current.clientHeight < NEAR;
      setAtEnd(sticks.current);
    };
    // The list also becomes smaller when the text field below grows.
    const resized = new ResizeObserver(() => sticks.current && toEnd());
    resized.observe(current);
    current.addEventListener('scroll', look, { passive: true });
    return () => {
      resized.disconnect();
      current.removeEventListener('scroll', look);
    };
  }, [toEnd]);

  useLayoutEffect(() => {
    if (sticks.current) toEnd();
  }, [content, toEnd]);

  return { list, isAtEnd, toEnd };
}
