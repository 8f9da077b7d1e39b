import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const ROOT = new URL('..', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, ROOT), 'utf8');

/** The rules in the order of the SPEC, each with the files that it names. */
const rules = read('packages/replica/SPEC.md')
  .split(/^## /m)
  .slice(1)
  .map((section) => ({
    rule: /^R\d+/.exec(section)![0],
    files: [...section.matchAll(/`([\w./-]+\.ts)`/g)].map(([, file]) => file!),
  }));

it('the SPEC has the rules R1 to R15', () => {
  expect(rules.map(({ rule }) => rule)).toEqual(Array.from({ length: 15 }, (_, at) => `R${at + 1}`));
});

const named = rules.flatMap(({ rule, files }) => files.map((file) => ({ rule, file })));

it.each(named)('$rule is held by a test in $file', ({ rule, file }) => {
  expect(read(file)).toMatch(new RegExp(`['"\`](R\\d+ )*${rule} `));
});
