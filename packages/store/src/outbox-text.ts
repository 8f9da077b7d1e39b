import { canonical, type Cell } from '@causeway/protocol';

type Held = Omit<Cell, 'scope'>;
type Written = { key: string; v: string; value: string };

/**
 * How the outbox keeps changed cells: JSON whose values are JSON texts themselves, so that SQL can
 * build the same from table cells without touching a value.
 */
export const cellsToText = (cells: readonly Held[]): string =>
  JSON.stringify(cells.map(({ key, v, value }): Written => ({ key, v, value: canonical(value) })));

export const cellsFromText = (text: string): Held[] =>
  (JSON.parse(text) as Written[]).map(({ key, v, value }) => ({
    key,
    v,
    value: JSON.parse(value) as unknown,
  }));
