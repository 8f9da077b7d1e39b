import * as encoding from 'lib0/encoding';
import { describe, expect, it } from 'vitest';
import { encodeAwarenessUpdate } from 'y-protocols/awareness';
import { Provider } from './awareness-provider.ts';
import { AwarenessRooms } from './awareness.ts';

const payloadOf = (...entries: [client: number, clock: number, state: string][]): Uint8Array => {
  const to = encoding.createEncoder();
  encoding.writeVarUint(to, entries.length);
  for (const [client, clock, state] of entries) {
    encoding.writeVarUint(to, client);
    encoding.writeVarUint(to, clock);
    encoding.writeVarString(to, state);
  }
  return encoding.toUint8Array(to);
};

const roomOf = (...members: string[]): { rooms: AwarenessRooms; providers: Provider[] } => {
  const rooms = new AwarenessRooms();
  return { rooms, providers: members.map((member) => new Provider(rooms, member).connect()) };
};

describe('awareness', () => {
  it('everybody sees everybody, and who leaves is gone', () => {
    const { rooms, providers } = roomOf('ada', 'ben', 'chiara');
    for (const { sees } of providers) expect(sees).toEqual(['ada', 'ben', 'chiara']);
    providers[1]!.disconnect();
    expect(providers[0]!.sees).toEqual(['ada', 'chiara']);
    expect(providers[2]!.sees).toEqual(['ada', 'chiara']);
    for (const at of [0, 2]) providers[at]!.disconnect();
    expect(rooms.size).toBe(0);
  });

  it('R11 who comes back after a flap is seen again at once, though the others heard of a newer clock', () => {
    const { providers } = roomOf('ada', 'ben');
    const [ada, ben] = providers as [Provider, Provider];
    for (let flap = 0; flap < 3; flap++) {
      ada.disconnect();
      expect(ben.sees).toEqual(['ben']);
      ada.connect();
      expect(ben.sees).toEqual(['ada', 'ben']);
    }
  });

  it('R11 a late repeat of somebody who left brings no ghost', () => {
    const { providers } = roomOf('ada', 'ben', 'chiara');
    const [ada, ben, chiara] = providers as [Provider, Provider, Provider];
    const repeat = encodeAwarenessUpdate(ben.awareness, [ada.id]);
    ada.disconnect();
    ben.raw(repeat);
    expect(chiara.sees).toEqual(['ben', 'chiara']);
    expect(ben.sees).toEqual(['ben', 'chiara']);
  });

  it('a socket removes and changes only its own entries', () => {
    const { providers } = roomOf('ada', 'mallory', 'ben');
    const [ada, mallory, ben] = providers as [Provider, Provider, Provider];
    for (const state of ['null', '{"name":"forged"}']) {
      expect(mallory.raw(payloadOf([ada.id, 99, state]))).toBe(true);
      expect(ben.sees).toEqual(['ada', 'ben', 'mallory']);
    }
  });

  it('a client that reconnects before its old socket died takes itself over, and outlives it', () => {
    const { rooms, providers } = roomOf('ada', 'ben');
    const [half, ben] = providers as [Provider, Provider];
    const again = new Provider(rooms, 'ada');
    again.awareness.clientID = half.id;
    again.connect();
    again.raw(payloadOf([half.id, 5, '{"name":"ada again"}']));
    expect(ben.sees).toEqual(['ada again', 'ben']);
    half.disconnect();
    expect(ben.sees).toEqual(['ada again', 'ben']);
  });

  it('R10 one socket announces at most 16 clients and 16 KB, a room holds 1 MB', () => {
    const { rooms, providers } = roomOf('ada', 'mallory');
    const [ada, mallory] = providers as [Provider, Provider];
    for (let client = 1; client <= 40; client++) mallory.raw(payloadOf([client, 1, '{"name":"x"}']));
    expect(ada.sees.filter((name) => name === 'x')).toHaveLength(15);
    const large = JSON.stringify({ name: 'y', text: 'y'.repeat(15_000) });
    for (let n = 1; n <= 80; n++) new Provider(rooms, 'crowd').connect().raw(payloadOf([n + 100, 1, large]));
    expect(ada.sees.filter((name) => name === 'y').length).toBeLessThan(70);
  });

  it('R10 renewals of a hundred clients are one message for each socket, not ten thousand (PAINS 14)', () => {
    const { rooms, providers } = roomOf('ada');
    const [ada] = providers as [Provider];
    let messages = 0;
    let clock = 1;
    const silent = { member: 'ben', send: () => void messages++ };
    const room = rooms.join('acme/canvas/plan', silent);
    const crowd = Array.from({ length: 100 }, (_, n) => ({
      id: n + 1,
      member: 'x',
      send: () => void messages++,
    }));
    const say = (): void => {
      for (const peer of crowd) room.announce(peer, payloadOf([peer.id, clock, '{"name":"x"}']));
      clock++;
    };
    for (const peer of crowd) rooms.join('acme/canvas/plan', peer);
    say();
    messages = 0;
    say();
    expect(messages).toBe(0);
    rooms.renew();
    expect(messages).toBe(101);
    expect(ada.awareness.meta.get(7)!.clock).toBe(2);
    rooms.renew();
    expect(messages).toBe(101);
  });

  const BAD: [what: string, payload: Uint8Array][] = [
    ['nothing', new Uint8Array()],
    ['a count without entries', Uint8Array.of(200, 1)],
    ['a state that is no JSON', payloadOf([1, 1, '{'])],
    ['a state that is no object', payloadOf([1, 1, '5'])],
    ['a clock that would overflow in the others', payloadOf([1, Number.MAX_SAFE_INTEGER, '{}'])],
    ['17 KB', payloadOf([1, 1, JSON.stringify('x'.repeat(17_000))])],
  ];
  it.each(BAD)('%s is no announcement', (_, payload) => {
    const { providers } = roomOf('ada', 'mallory');
    expect(providers[1]!.raw(payload)).toBe(false);
    expect(providers[0]!.sees).toEqual(['ada', 'mallory']);
  });
});
