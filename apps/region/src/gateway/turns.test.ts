import { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Turns, type Rank, type Turn } from './turns.ts';

/** A line in which everybody says his name when his turn comes, and stays until he is told. */
function line() {
  const turns = new Turns();
  const came: string[] = [];
  const wait = (rank: Rank, name: string): Turn => {
    const turn = turns.wait(rank);
    void turn.come.then(() => came.push(name));
    return turn;
  };
  return { turns, came, wait };
}

/** So many who hold up all the others. */
const busy = (wait: (rank: Rank, name: string) => Turn): Turn[] =>
  Array.from({ length: 16 }, () => wait('going on', 'busy'));

test('R10 sixteen pieces are under way at once, whatever waits', async () => {
  const turns = new Turns();
  let underWay = 0;
  let most = 0;
  const pieces = Array.from({ length: 1_000 }, () =>
    turns.take('arriving', async () => {
      most = Math.max(most, ++underWay);
      await turnOfTheLoop();
      underWay--;
    }),
  );
  await Promise.all(pieces);
  expect([most, underWay, turns.waiting]).toEqual([16, 0, 0]);
});

test('R10 between sixteen beginnings what came in is looked at, however quick the pieces are', async () => {
  const turns = new Turns();
  let done = 0;
  const pieces = Array.from({ length: 100 }, () => turns.take('arriving', async () => void done++));
  const seen: number[] = [];
  for (let now = 0; now < 100; seen.push((now = done))) await turnOfTheLoop();
  await Promise.all(pieces);
  for (const [at, now] of seen.entries()) expect(now - (seen[at - 1] ?? 0)).toBeLessThanOrEqual(32);
});

test('who goes on goes before who arrives, and before both who is waited for; nobody waits for ever', async () => {
  const { came, wait } = line();
  const others = busy(wait);
  await turnOfTheLoop();
  came.length = 0;
  const names = ['a', 'b', 'c', 'd', 'e', 'f'];
  const waiting = [
    ...names.map((name) => wait('arriving', `arriving ${name}`)),
    ...names.map((name) => wait('going on', `going on ${name}`)),
  ];
  waiting[5]!.hurry();
  for (const turn of [...others, ...waiting]) {
    turn.end();
    await turnOfTheLoop();
    await turnOfTheLoop();
  }
  expect(came.map((name) => name.replace(/rriving|oing on/, ''))).toEqual([
    'a f',
    'g a',
    'g b',
    'a a',
    'g c',
    'g d',
    'g e',
    'a b',
    'g f',
    'a c',
    'a d',
    'a e',
  ]);
});

test('who leaves gives up his place, and the place of who failed is free', async () => {
  const { turns, came, wait } = line();
  const others = busy(wait);
  const gone = wait('arriving', 'gone');
  gone.end();
  gone.hurry();
  await gone.come;
  expect(turns.waiting).toBe(0);
  const failed = turns.take('arriving', () => Promise.reject(new Error('no')));
  const next = wait('arriving', 'next');
  for (const turn of others) turn.end();
  await expect(failed).rejects.toThrow('no');
  await next.come;
  next.end();
  expect(came.at(-1)).toBe('next');
});
