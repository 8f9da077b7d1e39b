import { ZonePresence, type PresenceSession } from '@causeway/replica';
import { openNatsBus, type NatsBusOptions } from '@causeway/replication';
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * What a server process does about presence and nothing else, over real NATS; started by
 * presence.ts, which tells it what to do. Times are the machine's monotonic clock, in milliseconds.
 */
export type Order =
  | { do: 'enter'; members: number }
  | { do: 'watch'; members: number }
  /** One member goes idle, or comes back. */
  | { do: 'change'; member: number; idle: boolean }
  | { do: 'cpu' };
export type Report =
  | { was: 'entered' | 'ready' }
  | { was: 'changed'; at: number }
  | { was: 'seen'; states: { member: string; state: string }[]; at: number }
  | { was: 'cpu'; ms: number };

const now = (): number => Number(process.hrtime.bigint()) / 1e6;
const report = (said: Report): void => void process.send!(said);
const nameOf = (member: number): string => `member-number-${member}`;

if (process.send !== undefined) run(JSON.parse(process.argv[2]!) as NatsBusOptions);

function run(options: NatsBusOptions): void {
  const { region, peers } = options;
  const presence = new ZonePresence({
    region,
    regions: [region, ...peers.map((peer) => peer.region)],
    bus: openNatsBus(options),
    time: {
      now: () => Date.now(),
      sleep: (ms, signal) =>
        sleep(ms, undefined, signal === undefined ? {} : { signal }).catch(() => undefined),
    },
    random: { bytes: (count) => randomBytes(count) },
  });
  void presence.run(new AbortController().signal);
  // From now on it hears and leases, as with one client.
  presence.enter('acme', 'somebody');
  const sessions: PresenceSession[] = [];
  process.on('message', (order: Order) => {
    switch (order.do) {
      case 'enter':
        for (let n = 0; n < order.members; n++) sessions.push(presence.enter('acme', nameOf(n)));
        report({ was: 'entered' });
        break;
      case 'watch': {
        const members = Array.from({ length: order.members }, (_, n) => nameOf(n));
        const watch = presence.watch('acme', members, (states) =>
          report({ was: 'seen', states: [...states], at: now() }),
        );
        report({ was: 'seen', states: [...watch.states], at: now() });
        break;
      }
      case 'change':
        report({ was: 'changed', at: now() });
        sessions[order.member]!.idle(order.idle);
        break;
      case 'cpu': {
        const { user, system } = process.cpuUsage();
        report({ was: 'cpu', ms: (user + system) / 1_000 });
        break;
      }
    }
  });
  process.once('disconnect', () => process.exit());
  report({ was: 'ready' });
}
