import { expect, test } from 'vitest';
import { colorOf } from '../member-color.ts';
import { peopleIn } from './people.ts';

test('several windows of one person are one, and who has no name is nobody', () => {
  const ada = { user: { name: 'ada', color: '#aa0000' }, cursor: null };
  expect(
    peopleIn([{ user: { name: 'ben', color: '#00bb00' } }, ada, { ...ada }, {}, { user: null }]),
  ).toEqual([
    { name: 'ada', color: '#aa0000' },
    { name: 'ben', color: '#00bb00' },
  ]);
});

test('what is no colour is replaced, and what is no name is left out', () => {
  const states = [{ user: { name: 'ben', color: 'red; background: url(x)' } }, { user: { name: 7 } }];
  expect(peopleIn(states)).toEqual([{ name: 'ben', color: colorOf('ben') }]);
});

test('a colour is of the form that bindings take, the same for a member every time', () => {
  for (const member of ['ada', 'ben', 'chiara', '']) expect(colorOf(member)).toMatch(/^#[0-9a-f]{6}$/);
  expect(colorOf('ada')).toBe(colorOf('ada'));
  expect(colorOf('ada')).not.toBe(colorOf('ben'));
});
