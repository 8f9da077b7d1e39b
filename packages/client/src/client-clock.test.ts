import { hybridOf } from '@causeway/replica';
import { expect, test } from 'vitest';
import { ClientClock } from './client-clock.ts';

const SERVER = 1_000_000;
const HOUR = 3_600_000;

test('R14 a wall clock that is an hour ahead does no harm once a server was heard', () => {
  let wall = SERVER + HOUR;
  const clock = new ClientClock(() => wall);
  clock.told(hybridOf(SERVER));
  wall += 5;
  expect(clock.now()).toBe(SERVER + 5);
  expect(clock.mint()).toBe(hybridOf(SERVER + 5));
});

test('what it mints grows, also within a millisecond and when the wall clock goes back', () => {
  let wall = SERVER;
  const clock = new ClientClock(() => wall);
  const first = clock.mint();
  const second = clock.mint();
  wall -= HOUR;
  const third = clock.mint();
  expect([second, third]).toEqual([first + 1, first + 2]);
});

test('what it mints is larger than everything that a server told', () => {
  const clock = new ClientClock(() => SERVER);
  clock.told(hybridOf(SERVER) + 7);
  expect(clock.mint()).toBe(hybridOf(SERVER) + 8);
});

test('R14 after a refusal it goes back to the time of the server', () => {
  const clock = new ClientClock(() => SERVER + HOUR);
  expect(clock.mint()).toBe(hybridOf(SERVER + HOUR));
  clock.told(hybridOf(SERVER));
  expect(clock.mint()).toBe(hybridOf(SERVER + HOUR) + 1);
  clock.adopt(hybridOf(SERVER));
  expect(clock.mint()).toBe(hybridOf(SERVER) + 1);
});
