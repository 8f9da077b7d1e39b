import { ZonePresence } from '@causeway/replica';
import { MemoryNetwork, VirtualTime, type MemoryBus } from '@causeway/replication';
import { randomBytes } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { Provider } from './awareness-provider.ts';
import { encodeChanges } from './awareness-wire.ts';
import { AwarenessRooms } from './awareness.ts';

const REGIONS = ['us', 'eu'];

/** A server process as far as cursors go. */
class Process {
  readonly rooms: AwarenessRooms;
  readonly presence: ZonePresence;
  readonly #bus: MemoryBus;
  readonly #stop = new AbortController();

  constructor(network: MemoryNetwork, region: string) {
    this.#bus = network.bus(region);
    const random = { bytes: (count: number): Uint8Array => randomBytes(count) };
    const { time } = network;
    this.presence = new ZonePresence({ region, regions: REGIONS, bus: this.#bus, time, random });
    this.rooms = new AwarenessRooms((document, listener) => this.presence.share(document, listener));
    void this.presence.run(this.#stop.signal);
  }

  join(member: string): Provider {
    return new Provider(this.rooms, member).connect();
  }

  /** kill -9 */
  kill(): void {
    this.#stop.abort();
    void this.#bus.close();
  }
}

let time: VirtualTime;
let network: MemoryNetwork;
let processes: Process[] = [];
/** Two processes in us, one in eu, 60 ms apart. */
function open(): [us: Process, us2: Process, eu: Process] {
  time = new VirtualTime();
  network = new MemoryNetwork({ time, regions: REGIONS, delayMs: 60 });
  processes = ['us', 'us', 'eu'].map((region) => new Process(network, region));
  return processes as [Process, Process, Process];
}
afterEach(() => {
  for (const process of processes) process.kill();
});

/** Waits until all of them see these and nobody else; how long it took. */
async function see(providers: readonly Provider[], names: string, ms = 2_000): Promise<number> {
  const since = time.now();
  for (;;) {
    const seen = providers.map(({ sees }) => sees.join(' '));
    if (seen.every((text) => text === names)) return time.now() - since;
    if (time.now() - since > ms) throw new Error(`after ${ms} ms they see ${seen.join(' | ')}, not ${names}`);
    await time.sleep(20);
  }
}
const cut = (): void => {
  network.cut('us', 'eu');
  network.cut('eu', 'us');
};
const heal = (): void => {
  network.heal('us', 'eu');
  network.heal('eu', 'us');
};

describe('cursors across processes and regions', () => {
  it('R11 everybody sees everybody, each move, and who leaves is gone', async () => {
    const all = open().map((process, at) => process.join(['ada', 'ben', 'chiara'][at]!));
    const [ada, ben, chiara] = all as [Provider, Provider, Provider];
    await see(all, 'ada ben chiara');
    chiara.move('chiara moved');
    await see(all, 'ada ben chiara moved');
    ben.disconnect();
    await see([ada, chiara], 'ada chiara moved', 1_000);
    const late = processes[1]!.join('dora');
    await see([ada, chiara, late], 'ada chiara moved dora', 1_000);
  });

  it('R11 what a killed process showed is gone within its lease, and who was cut off is back within 2 s (PAINS 9)', async () => {
    const [us, us2, eu] = open();
    const [ada, ben, chiara] = [us.join('ada'), us2.join('ben'), eu.join('chiara')];
    await see([ada, ben, chiara], 'ada ben chiara');
    us2.kill();
    await see([ada, chiara], 'ada chiara', 17_000);
    cut();
    await see([ada], 'ada', 22_000);
    await see([chiara], 'chiara');
    // Neither moved meanwhile: their clocks are those that the others hold for gone.
    heal();
    await see([ada, chiara], 'ada chiara', 2_000);
  });

  it('R11 after a flapping link everything is right within 2 s, whatever happened meanwhile (PAINS 9)', async () => {
    const [us, us2, eu] = open();
    const [ada, ben, chiara] = [us.join('ada'), us2.join('ben'), eu.join('chiara')];
    for (const [at, flapMs] of [200, 1_000, 2_900, 3_500, 6_000, 14_000].entries()) {
      await see([ada, ben, chiara], 'ada ben chiara');
      if (at % 2 === 0) network.reset('us', 'eu');
      cut();
      await time.sleep(flapMs / 2);
      ben.disconnect();
      chiara.move('chiara moved');
      const dora = us.join('dora');
      await time.sleep(flapMs / 2);
      heal();
      await see([ada, dora, chiara], 'ada chiara moved dora', 2_000);
      dora.disconnect();
      chiara.move('chiara');
      ben.connect();
    }
  });

  it('R11 a client that reconnects to another process before its old socket died is seen once, and stays (PAINS 9)', async () => {
    const [us, , eu] = open();
    const [ada, chiara] = [us.join('ada'), eu.join('chiara')];
    await see([ada, chiara], 'ada chiara');
    const again = new Provider(eu.rooms, 'ada', ada).connect();
    again.move('ada again');
    await see([chiara], 'ada again chiara');
    ada.disconnect();
    await time.sleep(1_000);
    expect(chiara.sees).toEqual(['ada again', 'chiara']);
    again.move('ada still');
    await see([chiara], 'ada still chiara');
    again.disconnect();
    await see([chiara], 'chiara');
  });

  it('R11 nobody removes or changes the clients of another member, wherever they are connected (PAINS 9)', async () => {
    const [us, us2, eu] = open();
    const [ada, mallory, ben] = [us.join('ada'), eu.join('mallory'), us2.join('ben')];
    await see([ada, ben], 'ada ben mallory');
    for (const state of ['null', '{"name":"forged"}']) {
      mallory.raw(encodeChanges([[ada.id, { clock: 99, state }]]));
      await time.sleep(500);
      for (const { sees } of [ada, ben]) expect(sees).toEqual(['ada', 'ben', 'mallory']);
    }
  });

  it('R10 what does not fit into a message is seen in its own process only, and comes when there is room', async () => {
    const [us, , eu] = open();
    const ben = eu.join('ben');
    const crowd = Array.from({ length: 40 }, (_, n) => us.join(`${n}`));
    const large = 'y'.repeat(15_000);
    for (const [n, provider] of crowd.entries()) provider.move(`${n} ${large}`);
    await time.sleep(1_000);
    const elsewhere = ben.sees.filter((name) => name.includes(large)).length;
    expect(elsewhere).toBeGreaterThan(20);
    expect(elsewhere).toBeLessThan(40);
    for (const [n, provider] of crowd.entries()) provider.move(`${n}`);
    await see([ben], [...crowd.keys(), 'ben'].map(String).sort().join(' '));
  });
});
