import { BusDown, type Bus, type PresenceEar } from '@causeway/replica';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { numbered, until, type BusWorld } from './contract-world.ts';
import { PRESENCE } from './presence.ts';

const TOPIC = 'acme/typing/general';
const encoded = (text: string): Uint8Array => new TextEncoder().encode(text);

/** What one process hears: `us acme/typing/general hello`, `opened us`, `asked who`. */
class Hearing implements PresenceEar {
  readonly said: string[] = [];
  readonly asks: string[] = [];
  opens: string[] = [];

  constructor(bus: Bus) {
    bus.hearPresence(this);
  }

  announced(region: string, topic: string, bytes: Uint8Array): void {
    this.said.push(`${region} ${topic} ${new TextDecoder().decode(bytes)}`);
  }

  asked(question: Uint8Array): void {
    this.asks.push(new TextDecoder().decode(question));
  }

  opened(region: string): void {
    this.opens.push(region);
  }
}

/** The tests of presence: announced, attended, asked, and told that something may have been missed. */
export function presenceContract(name: string, open: () => Promise<BusWorld>): void {
  describe(`${name}: the contract of a bus, presence`, { timeout: 30_000 }, () => {
    let world: BusWorld;
    /** Two processes of us, two of eu. */
    let buses: { us: Bus; us2: Bus; eu: Bus; eu2: Bus };
    let ears: Record<keyof typeof buses, Hearing>;
    const all = (): Hearing[] => Object.values(ears);
    const hears = (ear: Hearing, what: string): Promise<unknown> =>
      until(() => expect(ear.said).toContain(what));

    /** Longer than the silence after which a connection is given up. */
    const cut = async (): Promise<void> => {
      world.cut();
      for (let n = 0; n < 3; n++) await expect(buses.eu.hello('us')).rejects.toBeInstanceOf(BusDown);
      buses.us.announce(TOPIC, encoded('lost'));
      world.heal();
    };

    beforeEach(async () => {
      world = await open();
      const bus = world.bus.bind(world);
      buses = { us: bus('us'), us2: bus('us'), eu: bus('eu'), eu2: bus('eu') };
      ears = {
        us: new Hearing(buses.us),
        us2: new Hearing(buses.us2),
        eu: new Hearing(buses.eu),
        eu2: new Hearing(buses.eu2),
      };
      for (const process of Object.values(buses)) process.attend(TOPIC);
      await until(() => {
        for (const { opens } of all()) expect(opens.toSorted()).toEqual(['eu', 'us']);
      });
    });
    afterEach(async () => {
      world.heal();
      await world.close();
    });

    test('R11 an announcement reaches every other process of the region and of the peers, in order and whole', async () => {
      const said = numbered(200);
      for (const text of said) buses.us.announce(TOPIC, encoded(text));
      const expected = said.map((text) => `us ${TOPIC} ${text}`);
      await until(() => {
        for (const ear of [ears.us2, ears.eu, ears.eu2]) expect(ear.said).toEqual(expected);
      });
      buses.eu.announce(TOPIC, encoded('back'));
      await hears(ears.us, `eu ${TOPIC} back`);
      expect(ears.us.said).toEqual([`eu ${TOPIC} back`]);
    });

    test('R10 what nobody attends is not heard, nor what nobody attends any more', async () => {
      const stop = buses.eu.attend('acme/canvas/Xy@2');
      buses.eu.announce(TOPIC, encoded('ready'));
      await hears(ears.us, `eu ${TOPIC} ready`);
      buses.us.announce('acme/canvas/other', encoded('unheard'));
      await until(() => {
        buses.us.announce('acme/canvas/Xy@2', encoded('a'));
        expect(ears.eu.said).toContain('us acme/canvas/Xy@2 a');
      });
      stop();
      ears.eu.said.length = 0;
      buses.us.announce('acme/canvas/Xy@2', encoded('b'));
      buses.us.announce(TOPIC, encoded('later'));
      await hears(ears.eu, `us ${TOPIC} later`);
      expect(ears.eu.said).toEqual([`us ${TOPIC} later`]);
      for (const { said } of [ears.us2, ears.eu2]) expect(said.join()).not.toContain('canvas');
    });

    test('R11 a question reaches every process of a region and no other one', async () => {
      buses.eu.askPresence('us', encoded('who'));
      buses.us.askPresence('us', encoded('who else'));
      await until(() => {
        expect(ears.us.asks).toEqual(['who']);
        expect(ears.us2.asks.toSorted()).toEqual(['who', 'who else']);
      });
      buses.us.announce(TOPIC, encoded('answer'));
      await hears(ears.eu2, `us ${TOPIC} answer`);
      expect([...ears.eu.asks, ...ears.eu2.asks]).toEqual([]);
    });

    test('R10 what is too large is dropped, what is just not passes', async () => {
      buses.us.announce(TOPIC, new Uint8Array(PRESENCE.messageBytes + 1));
      buses.us.askPresence('eu', new Uint8Array(PRESENCE.messageBytes + 1));
      buses.us.announce(TOPIC, new Uint8Array(PRESENCE.messageBytes).fill(97));
      await until(() => expect(ears.eu.said).toHaveLength(1));
      expect(ears.eu.said[0]).toHaveLength(`us ${TOPIC} `.length + PRESENCE.messageBytes);
      expect(ears.eu.asks).toEqual([]);
    });

    test('R11 who may have missed something is told so: after a broker restarted', async () => {
      for (const ear of all()) ear.opens = [];
      await world.kill('us');
      buses.us.announce(TOPIC, encoded('to nobody'));
      buses.eu.announce(TOPIC, encoded('goes on'));
      await hears(ears.eu2, `eu ${TOPIC} goes on`);
      await world.start('us');
      await until(() => {
        for (const { opens } of all()) expect(opens).toEqual(['us']);
      });
      buses.us.announce(TOPIC, encoded('again'));
      for (const ear of [ears.us2, ears.eu, ears.eu2]) await hears(ear, `us ${TOPIC} again`);
      expect(ears.us2.said).not.toContain(`us ${TOPIC} to nobody`);
    });

    test('R11 who may have missed something is told so: after a connection broke, after a cut of 6 s', async () => {
      for (const breaks of [() => world.reset(), cut]) {
        for (const ear of all()) ear.opens = [];
        await breaks();
        await until(() => {
          for (const { opens } of [ears.eu, ears.eu2]) expect(opens).toEqual(['us']);
          for (const { opens } of [ears.us, ears.us2]) expect(opens).toEqual(['eu']);
        });
        buses.us.announce(TOPIC, encoded('again'));
        for (const ear of [ears.us2, ears.eu, ears.eu2]) await hears(ear, `us ${TOPIC} again`);
        for (const ear of all()) ear.said.length = 0;
      }
    });
  });
}
