import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { manifestForTests } from '../region-in-memory.ts';
import type { Manifest } from './manifest.ts';
import { readConfig, type Config } from './read.ts';

const folder = mkdtempSync(join(tmpdir(), 'causeway-config-'));
const file = join(folder, 'region.json');
afterAll(() => rmSync(folder, { recursive: true }));

let manifest: Manifest;
beforeEach(async () => {
  manifest = await manifestForTests();
});

function read(env: Record<string, string> = {}, text = JSON.stringify(manifest)): Config {
  writeFileSync(file, text);
  return readConfig({ CAUSEWAY_CONFIG: file, ...env });
}

describe('the configuration', () => {
  it('is the manifest, and cannot be changed', () => {
    const config = read();
    expect(config).toEqual({ ...manifest, logLevel: 'info' });
    expect(Object.isFrozen(config)).toBe(true);
  });

  it('DATABASE_URL takes the place of the database', () => {
    expect(read({ DATABASE_URL: 'postgres://a:b@db1:1,db2:2/c' }).postgres).toBe(
      'postgres://a:b@db1:1,db2:2/c',
    );
  });

  it('NATS_URL takes the place of the broker of every zone, with its own credentials or the given ones', () => {
    const with_ = read({ NATS_URL: 'nats://al:p%40ss@broker:4333' }).zones[0]!.nats;
    expect(with_).toEqual({ url: 'nats://broker:4333', user: 'al', password: 'p@ss' });
    const without = read({ NATS_URL: 'tls://broker:4333' }).zones[0]!.nats;
    expect(without).toEqual({ url: 'tls://broker:4333', user: 'u', password: 'p' });
  });

  it('a variable that is empty counts as unset', () => {
    expect(read({ DATABASE_URL: '', NATS_URL: '', CAUSEWAY_LOG: '' })).toEqual(read());
    expect(() => readConfig({ CAUSEWAY_CONFIG: '' })).toThrow('set CAUSEWAY_CONFIG to the path');
  });

  const ENV: [name: string, value: string, says: string][] = [
    ['CAUSEWAY_LOG', 'loud', 'CAUSEWAY_LOG is one of trace, debug'],
    ['DATABASE_URL', 'mysql://u:secret@h/d', 'DATABASE_URL is not valid'],
    ['DATABASE_URL', 'h:5432 secret', 'DATABASE_URL is not valid'],
    ['NATS_URL', 'secret', 'NATS_URL is not valid'],
    ['NATS_URL', 'http://u:secret@h:1', 'NATS_URL is not valid'],
    ['NATS_URL', 'nats://u:secret%zz@h:1', 'NATS_URL is not valid'],
  ];
  it.each(ENV)('%s=%s is refused without quoting it', (name, value, says) => {
    expect(() => read({ [name]: value })).toThrow(says);
    expect(() => read({ [name]: value })).not.toThrow(/secret/);
  });

  it('a missing file, and one that is no JSON, are named; the text is not quoted', () => {
    const absent = join(folder, 'absent.json');
    expect(() => readConfig({ CAUSEWAY_CONFIG: absent })).toThrow(`the manifest ${absent} cannot be read`);
    expect(() => read({}, 'password: secret')).toThrow('it is not valid JSON');
    expect(() => read({}, 'password: secret')).not.toThrow(/secret/);
  });

  const WRONG: [what: string, change: (manifest: Manifest) => void, says: string][] = [
    ['no zone', (it) => (it.zones = []), '/zones'],
    ['a field that is unknown', (it) => Object.assign(it, { colour: 'red' }), 'not valid'],
    ['a port that is none', (it) => (it.listen.port = 70_000), '/listen/port'],
    ['a workspace id that fits no subject', (it) => (it.workspaces[0]!.id = 'a.b'), '/workspaces/0/id'],
    ['a region that is not in the list', (it) => (it.region = 'mars'), '/regions does not list this region'],
    [
      'a peer that the list does not know',
      (it) => it.zones[0]!.peers.push({ region: 'mars', nats: it.zones[0]!.nats }),
      'zone global is us-east in /regions',
    ],
    [
      'a zone that only the list knows',
      (it) => it.regions[0]!.zones.push('eu'),
      '/zones and the zones of us-east in /regions differ',
    ],
    ['a workspace in no zone', (it) => (it.workspaces[0]!.zone = 'moon'), 'no region is in zone moon'],
    [
      'two workspaces of one name',
      (it) => (it.workspaces[1]!.slug = 'acme-id'),
      'two workspaces go by "acme-id"',
    ],
    [
      'two channels of one name',
      (it) => it.workspaces[1]!.channels.push({ id: 'x', slug: 'general' }),
      'two channels go by "general"',
    ],
  ];
  it.each(WRONG)('%s is refused with a sentence', (_, change, says) => {
    change(manifest);
    expect(() => read()).toThrow(says);
  });
});
