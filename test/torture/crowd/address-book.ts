import { RegionApi } from '@causeway/client';
import type { ClientClock } from '@causeway/client';
import type { Ack } from '@causeway/protocol';
import type { SeededRandom } from '../../sim/seeded-random.ts';

export type Address = { region: string; url: string };

/** The processes of all regions. */
export class AddressBook {
  readonly all: readonly Address[];
  readonly #random: SeededRandom;

  constructor(regions: readonly { region: string; urls: string[] }[], random: SeededRandom) {
    this.all = regions.flatMap(({ region, urls }) => urls.map((url) => ({ region, url })));
    this.#random = random;
  }

  in(region: string): Address {
    return this.#random.pick(this.all.filter((address) => address.region === region));
  }

  any(): Address {
    return this.#random.pick(this.all);
  }
}

/** One member's ways to all processes, at both levels. */
export class Doors {
  readonly #token: string;
  readonly #clock: ClientClock;
  readonly #apis = new Map<string, RegionApi>();

  constructor(token: string, clock: ClientClock) {
    this.#token = token;
    this.#clock = clock;
  }

  at(url: string, level: Ack['level']): RegionApi {
    const key = `${level} ${url}`;
    let api = this.#apis.get(key);
    if (api === undefined) {
      api = new RegionApi({
        url,
        token: this.#token,
        told: (time) => this.#clock.told(time),
        fetch: level === 'zone' ? atLevelZone : fetch,
      });
      this.#apis.set(key, api);
    }
    return api;
  }
}

/** The SDK asks for the level `region` only. */
const atLevelZone: typeof fetch = (url, init) =>
  fetch(init?.method === 'GET' ? url : `${url as string}?level=zone`, init);
