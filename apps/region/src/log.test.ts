import { describe, expect, it } from 'vitest';
import { errorForLog } from './log.ts';

describe('the log', () => {
  it('R6 shows of an error its kind, code and origin, not what libraries hang onto it', () => {
    const cause = Object.assign(new Error('inner'), { parameters: ['secret'] });
    const error = Object.assign(new TypeError('outer', { cause }), { rawPacket: 'secret', code: 'E_SOME' });
    const shown = errorForLog(error);
    expect(shown).toMatchObject({ type: 'TypeError', code: 'E_SOME', cause: { type: 'Error' } });
    expect(JSON.stringify(shown)).toContain('log.test.ts');
    expect(JSON.stringify(shown)).not.toContain('secret');
  });

  it('shows of what is no error only what it is', () => {
    expect(errorForLog('a secret text')).toEqual({ type: 'string' });
  });
});
