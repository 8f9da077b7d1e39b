import {
  SERVERS,
  type PartStatus,
  type PeerStatus,
  type RegionStatus,
  type WorldStatus,
} from '@causeway/local';
import type { Paint } from './paint.ts';
import { milliseconds } from './quantities.ts';
import { table } from './table.ts';
import { waitingViews } from './waiting-view.ts';

type Link = WorldStatus['links'][number];

/** Regions with what is the matter with them at `now` (milliseconds since 1970), what waits if anything does, then links. */
export function statusView(status: WorldStatus, paint: Paint, now: number): string {
  const head = (...titles: string[]): string[] => titles.map((title) => paint('dim', title));
  const regions = table([
    head('REGION', 'STATE', 'SERVER', 'NATS', 'POSTGRES', 'DIRECTORY', 'LAG'),
    ...status.regions.map((region) => [
      region.region,
      region.ready ? paint('green', 'ready') : paint('red', 'not ready'),
      serversView(region, paint),
      brokerView(region, paint),
      partView(region.parts.postgres, paint),
      memberView(region.parts.directory, paint),
      lagView(region, paint, now),
    ]),
  ]);
  const pairs = pairsOf(status.links);
  const links = table([
    head('LINK', 'THERE', 'BACK'),
    ...pairs.map(([there, back]) => [
      `${there.from} - ${there.to}`,
      roadView(there, paint),
      roadView(back, paint),
    ]),
  ]);
  const title = `${paint('bold', 'Causeway')} at ${status.url} (pid ${status.pid})`;
  const waiting = waitingViews(status.regions, paint);
  return [title, regions, ...waiting, ...(pairs.length === 0 ? [] : [links])].join('\n\n');
}

/** A single server as any part; of several, how many are ready and what is the matter with the others. */
function serversView({ parts }: RegionStatus, paint: Paint): string {
  const servers = SERVERS.flatMap((name) => {
    const part = parts[name];
    return part === undefined ? [] : [{ name, ...part }];
  });
  if (servers.length === 1) return partView(parts.server, paint);
  const amiss = servers
    .filter(({ state, ready }) => state !== 'ready' || ready === false)
    .map(({ name, state }) => `${name} ${state === 'ready' ? 'not ready' : state}`);
  const count = `ready ${servers.length - amiss.length}/${servers.length}`;
  return amiss.length === 0 ? count : paint('yellow', `${count} (${amiss.join(', ')})`);
}

function partView({ state }: PartStatus, paint: Paint): string {
  if (state === 'ready' || state === 'external') return state;
  return paint(state === 'off' ? 'dim' : 'yellow', state);
}

/** Three regions have a member of the directory; one that lacks what the others have does not count yet. */
function memberView(member: PartStatus | undefined, paint: Paint): string {
  if (member === undefined) return paint('dim', '-');
  if (member.state === 'ready' && member.ready === false) return paint('yellow', 'filling');
  return partView(member, paint);
}

/** Of a broker that runs elsewhere we know only what the region says. */
const brokerView = ({ parts, broker }: RegionStatus, paint: Paint): string =>
  parts.nats.state === 'external' && broker === 'down'
    ? paint('yellow', 'no answer')
    : partView(parts.nats, paint);

/** Of each peer the worse of its zones. */
function lagView({ peers }: RegionStatus, paint: Paint, now: number): string {
  const worst = new Map<string, PeerStatus>();
  for (const peer of peers) {
    const known = worst.get(peer.region);
    if (known === undefined || badness(peer) > badness(known)) worst.set(peer.region, peer);
  }
  if (worst.size === 0) return paint('dim', '-');
  return [...worst.values()]
    .map((peer) =>
      peer.connected
        ? `${peer.region} ${peer.lagMs === undefined ? '?' : milliseconds(peer.lagMs)}`
        : paint('yellow', `${peer.region} ${silence(peer, now)} (cut off)`),
    )
    .join(', ');
}

const silence = ({ heardAt }: PeerStatus, now: number): string =>
  heardAt === undefined ? 'never heard' : `silent for ${milliseconds(Math.max(0, now - heardAt))}`;

const badness = ({ connected, lagMs }: PeerStatus): number =>
  connected ? (lagMs ?? Number.MAX_SAFE_INTEGER) : Number.POSITIVE_INFINITY;

function roadView({ delayMs, cut, bytesPerSecond }: Link, paint: Paint): string {
  if (cut !== undefined) return paint('red', cut === 'reset' ? 'cut (reset)' : 'cut (black hole)');
  const limit = bytesPerSecond === undefined ? '' : `, ${Math.round(bytesPerSecond / 1_000)} kB/s`;
  return `${milliseconds(delayMs)}${limit}`;
}

function pairsOf(links: readonly Link[]): [Link, Link][] {
  return links.flatMap((there, index): [Link, Link][] => {
    const back = links.findIndex(({ from, to }) => from === there.to && to === there.from);
    return back > index ? [[there, links[back]!]] : [];
  });
}
