import { webcrypto } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import type { Report } from './simulation.ts';

/** What a worker is to do: the seeds from `first` in steps of `step`, below `end`. */
export type Job = {
  seeds: { first: number; step: number; end: number };
  regions: number | undefined;
  bug: string | undefined;
  trace: boolean;
};
export type Message = { seed: number } | { report: Report } | { line: string };

const { seeds, regions, bug, trace } = workerData as Job;
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
const say = (message: Message): void => parentPort!.postMessage(message);
// Yjs draws a random name for every document that it makes. Nobody reads them, and the system's
// randomness is a twentieth of the time of a world.
Object.defineProperty(webcrypto, 'getRandomValues', { value: drawn });

// Before anything of the system is loaded.
if (bug !== undefined) (await import('../bugs/patch.ts')).patch(bug);
const { simulate } = await import('./simulation.ts');
const print = trace ? (line: string): void => say({ line }) : undefined;
for (let seed = seeds.first; seed < seeds.end; seed += seeds.step) {
  say({ seed });
  say({ report: await simulate({ seed, regions, print }) });
}

function drawn(into: Uint32Array | Uint8Array): typeof into {
  for (let at = 0; at < into.length; at++) into[at] = Math.floor(Math.random() * 2 ** 32);
  return into;
}
