import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const ROOT = new URL('..', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, ROOT), 'utf8');

/** The rows of the table, each with the tests that it names. */
const rows = [...read('docs/pains.md').matchAll(/^\| (\d+) \|.*\|(.*)\|$/gm)].map(([, number, shown]) => ({
  number: Number(number),
  tests: [...shown!.matchAll(/`([\w./-]+\.ts)` (.+?)(?:<br>| $)/g)].map(([, file, title]) => ({
    file: file!,
    title: title!,
  })),
}));

it('the list of pains holds those that writing, replication and repair answer', () => {
  const numbers = rows.map(({ number }) => number);
  expect(numbers).toEqual(numbers.toSorted((one, other) => one - other));
  expect(numbers).toEqual(Array.from({ length: 26 }, (_, at) => at + 1));
  for (const { number, tests } of rows) expect(tests.length, `tests of ${number}`).toBeGreaterThan(0);
});

const named = rows.flatMap(({ number, tests }) => tests.map((test) => ({ number, ...test })));

it.each(named)('pain $number is answered by a test of $file', ({ number, file, title }) => {
  expect(title).toMatch(new RegExp(`^(R\\d+ )+.* \\(PAINS ${number}\\)$`));
  expect(read(file)).toMatch(new RegExp(`(?:it|test)(?:\\.each)?\\([^;]*?'${RegExp.escape(title)}'`));
});
