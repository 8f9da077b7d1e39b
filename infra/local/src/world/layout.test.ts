import { expect, test } from 'vitest';
import {
  basePortOf,
  chooseRegions,
  chooseServers,
  MAX_SERVERS,
  portsFrom,
  REGIONS,
  regionsOf,
  zonesOf,
} from './layout.ts';

test('regions have the ports that people know, and no two things have one', () => {
  const ports = portsFrom(4100);
  expect([ports.web, ...REGIONS.map(ports.region)]).toEqual([4100, 4101, 4102, 4103, 4104]);
  const others = REGIONS.flatMap((region) => [
    ports.postgres(region),
    ports.nats(region),
    ports.directory(region),
    ports.directoryRoute(region),
    ports.directoryMonitor(region),
    ...REGIONS.filter((peer) => peer !== region).flatMap((peer) => [
      ports.link(region, peer),
      ports.directoryLink(region, peer),
      ports.routeLink(region, peer),
    ]),
    ...Array.from({ length: MAX_SERVERS - 1 }, (_, nth) => ports.server(region, nth + 1)),
  ]);
  expect(new Set(others).size).toBe(4 * 5 + 3 * 12 + 4 * 3);
  expect(Math.min(...others)).toBeGreaterThan(4104);
  expect(Math.max(...others)).toBeLessThan(4200);
});

test('a smaller world keeps the order, and says which regions there are', () => {
  expect(chooseRegions()).toEqual(REGIONS);
  expect(chooseRegions(['eu-west', 'us-east', 'eu-west'])).toEqual(['us-east', 'eu-west']);
  expect(() => chooseRegions(['mars'])).toThrow(
    'no region "mars". Choose from: us-east, eu-west, eu-central, ap-south',
  );
  expect(() => chooseRegions([])).toThrow('needs a region');
});

test('a region has a server unless told, and four at most', () => {
  expect([chooseServers(), chooseServers(4), chooseServers(false)]).toEqual([1, 4, 0]);
  for (const wrong of [0, 5, 1.5, Number.NaN]) expect(() => chooseServers(wrong)).toThrow('from 1 to 4');
});

test('a zone is where its regions are', () => {
  expect(zonesOf('us-east')).toEqual(['global']);
  expect(zonesOf('eu-central')).toEqual(['global', 'eu']);
  expect(regionsOf('eu', ['us-east', 'eu-west'])).toEqual(['eu-west']);
});

test('CAUSEWAY_BASE_PORT moves everything, within what ports can be', () => {
  expect(basePortOf({})).toBe(4100);
  expect(basePortOf({ CAUSEWAY_BASE_PORT: '5100' })).toBe(5100);
  for (const wrong of ['80', '65500', 'x', '4100.5'])
    expect(() => basePortOf({ CAUSEWAY_BASE_PORT: wrong })).toThrow('CAUSEWAY_BASE_PORT');
});
