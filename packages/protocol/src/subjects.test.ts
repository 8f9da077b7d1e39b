import { expect, test } from 'vitest';
import { nameOfSubject, tellSubject, tellSubjects, updateSubject, updateSubjects } from './subjects.ts';

test.each(['acme/segment/general/12', 'acme/canvas/c1', '-/heartbeat'])(
  'R12 the subjects of %s carry its name, and stay apart from each other',
  (name) => {
    const update = updateSubject('us-east', name);
    const tell = tellSubject('us-east', name);
    expect([nameOfSubject(update), nameOfSubject(tell)]).toEqual([name, name]);
    expect(update.startsWith(updateSubjects('us-east').slice(0, -1))).toBe(true);
    expect(tell.startsWith(tellSubjects('us-east').slice(0, -1))).toBe(true);
    expect(update).not.toBe(tell);
  },
);
