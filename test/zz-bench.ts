import { startTestPostgres } from '@causeway/local';
import { Replica } from '@causeway/replica';
import { MemoryNetwork } from '@causeway/replication';
import { openPostgres } from '@causeway/store';
import { base64url } from '@causeway/protocol';
import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
const time = { now: () => Date.now(), sleep: (ms: number, signal?: AbortSignal) => pause(ms, undefined, signal ? { signal } : {}).catch(() => undefined) };
const server = await startTestPostgres();
for (const withProjector of [true, false, true, false]) {
  const db = await openPostgres(await server.createDatabase(), { region: 'us' });
  const store = db.zone('global');
  if (!withProjector) { const lead = store.lead.bind(store); store.lead = (r, w, s) => r === 'projector' ? Promise.resolve() : lead(r, w, s); }
  const stop = new AbortController();
  const net = new MemoryNetwork({ time, regions: ['us'], delayMs: 0 });
  const replica = new Replica({ region: 'us', regions: ['us'], store, bus: net.bus('us'), time, random: { bytes: randomBytes }, notice: () => undefined });
  const run = replica.run(stop.signal);
  const post = (n: number) => ({ kind: 'post' as const, workspace: 'acme', channel: `c${n % 10}`, member: 'ada', nonce: base64url(randomBytes(16)), body: `hello ${n}` });
  for (let n = 0; n < 200; n++) await replica.execute(post(n));
  const began = performance.now(); let n = 0; const lat: number[] = [];
  await Promise.all(Array.from({ length: 64 }, async () => { while (performance.now() - began < 8000) { const a = performance.now(); await replica.execute(post(n++)); lat.push(performance.now() - a); } }));
  const s = (performance.now() - began) / 1000; lat.sort((a, b) => a - b);
  const reads: number[] = [];
  if (withProjector) { await pause(500); for (let k = 0; k < 50; k++) { await replica.execute(post(0)); const a = performance.now(); const p = await replica.messages('acme', 'c0', undefined, 50); reads.push(performance.now() - a); if (p.items.length !== 50) throw new Error('?'); } reads.sort((a, b) => a - b); }
  console.log({ withProjector, perSecond: Math.round(n / s), p50: lat[lat.length >> 1]!.toFixed(1), p99: lat[Math.floor(lat.length * .99)]!.toFixed(1), readP50: reads[25]?.toFixed(1), readP98: reads[48]?.toFixed(1) });
  stop.abort(); await run; await db.close();
}
await server.stop();
process.exit(0);
