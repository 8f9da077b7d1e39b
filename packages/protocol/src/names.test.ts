import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  aboutScope,
  canvasName,
  canvasesScope,
  channelScope,
  memberScope,
  messageScope,
  parseName,
  segmentName,
  versionName,
  workspaceOf,
} from './names.ts';
import { heartbeatSubject, nameOfSubject, streamOfZone, updateSubject, updateSubjects } from './subjects.ts';

const id = fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/);
const options = { seed: 1, numRuns: 1_000 };

describe('names', () => {
  it('come apart into what they were made of, and back from their subject', () => {
    fc.assert(
      fc.property(
        id,
        id,
        id,
        fc.integer({ min: 1, max: 999_999_998 }),
        (workspace, first, second, segment) => {
          const made = {
            [segmentName(workspace, first, segment)]: { kind: 'segment', workspace, channel: first, segment },
            [canvasName(workspace, first)]: { kind: 'canvas', workspace, canvas: first, generation: 1 },
            [canvasName(workspace, first, segment + 1)]: {
              kind: 'canvas',
              workspace,
              canvas: first,
              generation: segment + 1,
            },
            [channelScope(workspace, first)]: { kind: 'channel', workspace, channel: first },
            [messageScope(workspace, first, second)]: {
              kind: 'message',
              workspace,
              channel: first,
              message: second,
            },
            [memberScope(workspace, first)]: { kind: 'member', workspace, member: first },
            [versionName(workspace, first, second)]: {
              kind: 'version',
              workspace,
              canvas: first,
              version: second,
            },
            [aboutScope(workspace, first)]: { kind: 'about', workspace, canvas: first },
            [canvasesScope(workspace)]: { kind: 'workspace', workspace, part: 'canvases' },
          };
          for (const [name, parts] of Object.entries(made)) {
            expect(parseName(name)).toEqual(parts);
            expect(workspaceOf(name)).toBe(workspace);
            expect(nameOfSubject(updateSubject('us-east', name))).toBe(name);
          }
        },
      ),
      options,
    );
  });

  it('R12 anything else is no name, and nothing throws', () => {
    const bad = [
      '',
      '/',
      'acme',
      'acme/segment/general',
      'acme/segment/general/0',
      'acme/segment/general/01',
      'acme/segment/general/1e3',
      'acme/segment/general/1/2',
      'acme/segment//1',
      'acme/segment/../1',
      'acme/canvas/',
      'acme/canvas/a/b',
      'acme/canvas/a.b',
      'acme/canvas/a@',
      'acme/canvas/a@0',
      'acme/canvas/a@1',
      'acme/canvas/a@02',
      'acme/canvas/a@2@3',
      'acme/canvas/@2',
      'acme/canvas/a@2/1',
      'acme/canvas/a@1e3',
      'acme/canvas/a@-2',
      'acme/channel/a@2',
      'acme/version/a',
      'acme/version/a/',
      'acme/version/a@2/b',
      'acme/about/a/b',
      'acme/about/a@2',
      'acme@2/canvas/a',
      'acme/workspace/members',
      'acme/nothing/a',
      '/canvas/a',
      'a b/canvas/a',
      'acme/canvas/a\n',
      'acme/segment/general/1\n',
    ];
    for (const name of bad) expect(parseName(name), JSON.stringify(name)).toBeUndefined();
    fc.assert(
      fc.property(fc.string(), (name) => void parseName(name)),
      options,
    );
  });
});

describe('subjects', () => {
  it('of a region are all under its prefix', () => {
    expect(updateSubject('us-east', 'acme/segment/general/1')).toBe('u.us-east.acme.segment.general.1');
    expect(updateSubject('us-east', 'acme/canvas/plan@2')).toBe('u.us-east.acme.canvas.plan@2');
    expect(heartbeatSubject('us-east')).toBe(updateSubject('us-east', '-/heartbeat'));
    expect(updateSubjects('us-east')).toBe('u.us-east.>');
    expect(nameOfSubject(heartbeatSubject('us-east'))).toBe('-/heartbeat');
  });

  it('a stream is named after its zone', () => {
    expect(streamOfZone('global')).toBe('Z_GLOBAL');
    expect(streamOfZone('eu-only')).toBe('Z_EU_ONLY');
  });
});
