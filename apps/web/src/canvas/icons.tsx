import type { ReactNode } from 'react';

const icon = (...paths: string[]): ReactNode => (
  <svg viewBox="0 0 20 20" aria-hidden="true">
    {paths.map((path) => (
      <path key={path} d={path} />
    ))}
  </svg>
);

/** Drawn with strokes of the text's colour. */
export const ICONS = {
  code: icon('M7 5 2 10l5 5', 'M13 5l5 5-5 5'),
  list: icon('M8 5h9M8 10h9M8 15h9', 'M3.5 5h.01M3.5 10h.01M3.5 15h.01'),
  numbered: icon(
    'M8 5h9M8 10h9M8 15h9',
    'M3 3.5l1-.5v4',
    'M2.8 13.4c.4-.7 2-.6 1.8.4 0 .6-1.8 1.4-1.8 2.2h2',
  ),
  quote: icon('M4 4v12', 'M8 6h9M8 10h9M8 14h5'),
  codeBlock: icon('M3 3.5h14v13H3z', 'M8 8l-2 2 2 2M12 8l2 2-2 2'),
  undo: icon('M7 4 3 8l4 4', 'M3 8h9a4.5 4.5 0 0 1 0 9H8'),
  redo: icon('M13 4l4 4-4 4', 'M17 8H8a4.5 4.5 0 0 0 0 9h4'),
} as const;
