import { describe, expect, it } from 'vitest';
import { CausewayError, ERRORS, problemOf, type ErrorCode } from './errors.ts';

const codes = Object.keys(ERRORS) as ErrorCode[];

describe('the closed set of errors', () => {
  it('close codes lie in the range that says what to do, each used once', () => {
    for (const code of codes) {
      const { close, next } = ERRORS[code];
      const range = next === 'retry' ? 4000 : next === 'elsewhere' ? 4100 : 4400;
      expect(close, code).toBeGreaterThanOrEqual(range);
      expect(close, code).toBeLessThan(range + 100);
    }
    expect(new Set(codes.map((code) => ERRORS[code].close)).size).toBe(codes.length);
  });

  it('statuses agree with what to do next', () => {
    for (const code of codes) {
      const { status, next } = ERRORS[code];
      expect(status, code).toBeGreaterThanOrEqual(400);
      expect(status, code).toBeLessThan(600);
      if (status >= 500) expect(['retry', 'elsewhere'], code).toContain(next);
    }
  });

  it('a problem says all that a client needs, and no field that is not there', () => {
    expect(problemOf(new CausewayError('elsewhere', 'go to eu', { regions: ['eu'] }), 'r1')).toEqual({
      type: 'urn:causeway:error:elsewhere',
      title: 'The workspace lives in other regions',
      status: 421,
      detail: 'go to eu',
      code: 'elsewhere',
      next: 'elsewhere',
      requestId: 'r1',
      regions: ['eu'],
    });
    expect(Object.keys(problemOf(new CausewayError('gone', 'deleted')))).not.toContain('regions');
  });
});
