import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createLinks, NoSuchLink, type Links, type LinksOptions } from './links.ts';

const GREETING = 'INFO {}\r\n';
const PATIENCE_MS = 10_000;
const MIB = 1024 * 1024;

/** Greets like a broker, then says back what it hears. */
class Echo {
  readonly server: Server;
  readonly sockets = new Set<Socket>();
  received = 0;

  constructor() {
    this.server = createServer((socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket)).on('error', () => socket.destroy());
      socket.on('data', (chunk: Buffer) => (this.received += chunk.length));
      socket.write(GREETING);
      socket.pipe(socket);
    });
  }

  async listen(): Promise<number> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    return (this.server.address() as AddressInfo).port;
  }

  close(): void {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
  }
}

class Reader {
  readonly socket: Socket;
  heard = '';
  ended = false;
  error: NodeJS.ErrnoException | undefined;

  constructor(port: number) {
    this.socket = connect({ host: '127.0.0.1', port, noDelay: true });
    this.socket.setEncoding('latin1');
    this.socket.on('data', (text: string) => (this.heard += text));
    this.socket.on('error', (error) => (this.error = error)).on('close', () => (this.ended = true));
  }

  /** Waits until everything up to `text` has arrived after the greeting. */
  async hears(text: string): Promise<void> {
    await until(() => expect(this.heard).toBe(GREETING + text));
  }
}

const until = (holds: () => void | Promise<void>): Promise<unknown> =>
  vi.waitFor(holds, { timeout: PATIENCE_MS, interval: 5 });

let east: Echo;
let west: Echo;
let links: Links;
const readers: Reader[] = [];

const open = async (options: Partial<LinksOptions> = {}): Promise<Links> => {
  const targets = {
    east: { host: '127.0.0.1', port: await east.listen() },
    west: { host: '127.0.0.1', port: await west.listen() },
  };
  links = await createLinks({ targets, delays: () => 0, ...options });
  return links;
};
const read = (reader = 'east', peer = 'west'): Reader => {
  const made = new Reader(links.port(reader, peer));
  readers.push(made);
  return made;
};

beforeEach(() => {
  east = new Echo();
  west = new Echo();
});
afterEach(async () => {
  for (const reader of readers.splice(0)) reader.socket.destroy();
  await links.close();
  east.close();
  west.close();
});

describe('an open link', () => {
  test('delays each direction by its own time', async () => {
    await open({ delays: (from) => (from === 'east' ? 30 : 50) });
    const reader = read();
    await reader.hears('');
    const sent = performance.now();
    reader.socket.write('ping');
    await until(() => expect(west.received).toBe(4));
    expect(performance.now() - sent).toBeGreaterThanOrEqual(30);
    await reader.hears('ping');
    expect(performance.now() - sent).toBeGreaterThanOrEqual(80);
  });

  test('opens a connection only after the time of a handshake', async () => {
    await open({ delays: () => 20 });
    const started = performance.now();
    await read().hears('');
    expect(performance.now() - started).toBeGreaterThanOrEqual(80);
  });

  test('keeps the order, also while its delay changes', async () => {
    await open({ delays: () => 20 });
    const reader = read();
    await reader.hears('');
    let sent = '';
    for (let n = 0; n < 300; n++) {
      links.slow('east', 'west', n % 3 === 0 ? 30 : 1);
      const line = `${n};`;
      sent += line;
      reader.socket.write(line);
      await new Promise(setImmediate);
    }
    await reader.hears(sent);
  });

  test('limits what passes per second', async () => {
    await open({ bytesPerSecond: MIB });
    const reader = read();
    await reader.hears('');
    const sent = performance.now();
    reader.socket.write(Buffer.alloc(128 * 1024, 'x'));
    await until(() => expect(west.received).toBe(128 * 1024));
    expect(performance.now() - sent).toBeGreaterThanOrEqual(125);
  });

  test('is as wide as in the beginning once it is healed', async () => {
    await open({ bytesPerSecond: MIB });
    const before = links.state();
    links.limit('east', 'west', 1_000);
    expect(links.state()).not.toEqual(before);
    links.heal();
    expect(links.state()).toEqual(before);
  });

  test('hands on the end of a connection, after what was said before it', async () => {
    await open({ delays: () => 5 });
    const reader = read();
    await reader.hears('');
    reader.socket.end('bye');
    await reader.hears('bye');
    await until(() => expect(reader.ended).toBe(true));
    await until(() => expect(links.state()[0]!.connections).toBe(0));
  });

  test('resets when nobody listens behind it', async () => {
    await open();
    west.server.close();
    const reader = read();
    await until(() => expect(reader.ended).toBe(true));
    expect(reader.heard).toBe('');
  });
});

describe('a black hole', () => {
  test('stops what is on its way and what comes, and lets it through in order when it heals', async () => {
    await open();
    const reader = read();
    await reader.hears('');
    links.cut('east', 'west');
    for (const word of ['one ', 'two ', 'three']) reader.socket.write(word);
    await until(() => expect(links.waitingBytes()).toBe(13));
    expect(west.received).toBe(0);
    links.heal('east', 'west');
    await reader.hears('one two three');
  });

  test.each(['there', 'back'] as const)('cuts %s alone', async (direction) => {
    await open();
    const reader = read();
    await reader.hears('');
    links.cut('east', 'west', { direction });
    reader.socket.write('ping');
    await until(() => expect(links.waitingBytes()).toBe(4));
    expect(west.received).toBe(direction === 'there' ? 0 : 4);
    expect(reader.heard).toBe(GREETING);
    links.heal();
    await reader.hears('ping');
  });

  test.each(['both', 'there', 'back'] as const)('gives new connections no answer (%s)', async (direction) => {
    await open();
    links.cut('east', 'west', { direction });
    const reader = read();
    await links.assertCut('east', 'west');
    expect(reader).toMatchObject({ heard: '', ended: false });
    links.heal();
    await reader.hears('');
    await links.assertHealed('east', 'west');
  });

  test('holds a bounded amount of what is written into it', async () => {
    await open({ maxWaitingBytes: MIB });
    const reader = read();
    await reader.hears('');
    links.cut('east', 'west');
    const chunk = Buffer.alloc(MIB, 'x');
    for (let n = 0; n < 50; n++) reader.socket.write(chunk);
    await until(() => expect(links.waitingBytes()).toBeGreaterThanOrEqual(MIB));
    // Whatever the kernel still takes, we take no more: our reading has stopped.
    const held = links.waitingBytes();
    await links.assertCut('east', 'west');
    expect(links.waitingBytes()).toBe(held);
    expect(held).toBeLessThanOrEqual(MIB + 64 * 1024);
    links.heal();
    await until(() => expect(west.received).toBe(50 * MIB));
    await until(() => expect(reader.heard).toHaveLength(GREETING.length + 50 * MIB));
  });

  test('forgets a connection that gave up before it was through', async () => {
    await open();
    links.cut('east', 'west');
    const reader = read();
    await until(() => expect(links.state()[0]!.connections).toBe(1));
    reader.socket.destroy();
    await until(() => expect(links.state()[0]!.connections).toBe(0));
  });

  test('hands on the end of a connection only when it heals', async () => {
    await open();
    const reader = read();
    await reader.hears('');
    links.cut('east', 'west');
    reader.socket.destroy();
    await links.assertCut('east', 'west');
    expect(west.sockets.size).toBeGreaterThan(0);
    links.heal();
    await until(() => expect(links.state()[0]!.connections).toBe(0));
  });
});

describe('a reset', () => {
  test.each(['both', 'there', 'back'] as const)(
    'tears down old and new connections (%s)',
    async (direction) => {
      await open();
      const old = read();
      const opposite = read('west', 'east');
      await Promise.all([old.hears(''), opposite.hears('')]);
      links.cut('east', 'west', { mode: 'reset', direction });
      await until(() =>
        expect([old.error?.code, opposite.error?.code]).toEqual(['ECONNRESET', 'ECONNRESET']),
      );
      const late = read();
      await until(() => expect(late.ended).toBe(true));
      expect(late.heard).toBe('');
      await links.assertCut('east', 'west');
      links.heal();
      await links.assertHealed('east', 'west');
    },
  );
});

describe('the assertions', () => {
  test('fail on an open and on a cut link', async () => {
    await open();
    await expect(links.assertCut('east', 'west')).rejects.toThrow('not cut');
    links.cut('east', 'west', { direction: 'back' });
    await expect(links.assertHealed('east', 'west', 300)).rejects.toThrow('not healed');
  });

  test('take no dead broker for a cut', async () => {
    await open();
    links.cut('east', 'west');
    west.close();
    await expect(links.assertCut('east', 'west')).rejects.toThrow('west does not answer even directly');
  });
});

test('says which links there are and how they are', async () => {
  await open({ delays: (from) => (from === 'east' ? 1 : 2) });
  links.slow('east', 'west', 120);
  links.cut('west', 'east', { direction: 'there', mode: 'reset' });
  expect(links.state()).toEqual([
    { from: 'east', to: 'west', delayMs: 120, connections: 0 },
    { from: 'west', to: 'east', delayMs: 120, cut: 'reset', connections: 0 },
  ]);
  links.heal('west');
  expect(links.state().map(({ delayMs, cut }) => [delayMs, cut])).toEqual([
    [1, undefined],
    [2, undefined],
  ]);
});

test('refuses regions that it does not know', async () => {
  await open();
  expect(() => links.cut('east', 'north')).toThrow(NoSuchLink);
  expect(() => links.port('east', 'east')).toThrow(NoSuchLink);
  expect(() => links.heal('north')).toThrow('There is no region "north" in this world. Regions: east, west.');
});
