import { expect, test } from 'vitest';
import { onSignals } from './signals.ts';

test('one keystroke that arrives twice stops; only a second one kills', () => {
  let now = 0;
  const calls: string[] = [];
  const ignore = onSignals(
    () => calls.push('stop'),
    () => calls.push('kill'),
    () => now,
  );
  process.emit('SIGINT');
  now = 20;
  process.emit('SIGINT');
  expect(calls).toEqual(['stop']);
  now = 2_000;
  process.emit('SIGINT');
  expect(calls).toEqual(['stop', 'kill']);
  ignore();
  expect(process.listenerCount('SIGHUP')).toBe(0);
});
