import type { World } from '@causeway/local';
import { readFileSync } from 'node:fs';

/** Of a clock tick in /proc, milliseconds: 100 a second on every Linux that Node runs on. */
const TICK_MS = 10;

export type ServerFigures = {
  /** User and system time since its start, milliseconds. */
  cpuMs: number;
  /** Resident memory now and at its highest, MiB. */
  rssMiB: number;
  peakMiB: number;
  /** The longest that its event loop was late since it was asked last, milliseconds. */
  loopMaxMs: number;
};

/** What a region's server costs, by the kernel and by its own metrics. Linux only. */
export async function serverFigures(world: World, region: string): Promise<ServerFigures> {
  const { regions } = await world.status();
  const { url, parts } = regions.find((one) => one.region === region)!;
  const metrics = await (await fetch(`${url}/metrics`)).text();
  const [, seconds] = /^nodejs_eventloop_lag_max_seconds\S* (\S+)$/m.exec(metrics)!;
  const stat = readFileSync(`/proc/${parts.server.pid}/stat`, 'utf8');
  // The name, in brackets, may hold spaces.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const status = readFileSync(`/proc/${parts.server.pid}/status`, 'utf8');
  const mib = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)![1]) / 1_024;
  return {
    cpuMs: (Number(fields[11]) + Number(fields[12])) * TICK_MS,
    rssMiB: mib('VmRSS'),
    peakMiB: mib('VmHWM'),
    loopMaxMs: Number(seconds) * 1_000,
  };
}
