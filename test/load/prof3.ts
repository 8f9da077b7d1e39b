import { startTestPostgres } from '@causeway/local';
import { openPostgres } from '@causeway/store';
import { Replica } from '@causeway/replica';
import { MemoryNetwork } from '@causeway/replication';
import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
const pg = await startTestPostgres(); const url = await pg.createDatabase();
const db = await openPostgres(url, { region: 'us-east' });
const st = db.zone('bench');
const c = { append: 0, rows: 0, bytes:0, appendMs: 0, copies: 0, ids: 0, copiesMs: 0, published: 0, pubMs:0, segs:0 };
const wrap = new Proxy(st, { get(t, k) { const f = (t as any)[k]; if (typeof f !== 'function') return f; return async (...a: any[]) => { const s = performance.now(); try { return await f.apply(t, a); } finally { const d = performance.now() - s; if (k === 'append') { c.append++; c.rows += a[0].length; c.appendMs += d; for(const r of a[0]) c.bytes += r.entry.bytes?.length??0; } if (k === 'copies') { c.copies++; c.ids += a[1].length; c.copiesMs += d; } if (k === 'published') { c.published++; c.pubMs+=d; } } }; } });
const time = { now: () => Date.now(), sleep: (ms: number, s?: AbortSignal) => pause(ms, undefined, s ? { signal: s } : {}).catch(() => undefined) as Promise<void> };
const r = new Replica({ region: 'us-east', regions: ['us-east', 'eu-west'], store: wrap as any, bus: new MemoryNetwork({ time, regions: ['us-east', 'eu-west'] }).bus('us-east'), time, random: { bytes: (n) => randomBytes(n) }, notice: (n) => console.log(n) });
const stop = new AbortController(); const run = r.run(stop.signal);
for (let k = 0; k < 3; k++) { for (const x in c) (c as any)[x] = 0; let left = 20000; const t0 = performance.now(); const cpu=process.cpuUsage(); await Promise.all(Array.from({ length: 1000 }, async () => { while (left-- > 0) await r.execute({ kind: 'post', workspace: 'b', channel: 'c' + (left % 16), member: 'm' + left % 200, nonce: randomBytes(16).toString('base64url'), body: `message ${left} of about sixty characters, as chat has them` }); })); const el = performance.now() - t0; console.log((20000 / el * 1000).toFixed(0) + '/s', 'cpu', ((process.cpuUsage(cpu).user+process.cpuUsage(cpu).system)/1000/el).toFixed(2), 'append', c.append, 'rows/append', (c.rows / c.append).toFixed(1), 'ms', (c.appendMs / c.append).toFixed(1), 'copies', c.copies, 'ids', (c.ids / c.copies).toFixed(1), 'ms', (c.copiesMs / c.copies).toFixed(1), 'pub', c.published, (c.pubMs/c.published).toFixed(1)); }
import postgres from 'postgres'; const sql=postgres(url,{max:1}); 
await sql`set enable_seqscan=off`; const ids=(await sql`select id from causeway.copies where channel='b/channel/c3' limit 27`).map(r=>r.id); const lit='{'+ids.join(',')+'}';
for (let i=0;i<3;i++) { const t0=performance.now(); const pl=await sql.unsafe(`explain (analyze,buffers) select id, segment, segment = any(deleted) as deleted from causeway.copies, lateral (select unnest(segments) as segment union select unnest(deleted)) as places where zone = 'bench' and channel = 'b/channel/c3' and id = any('${lit}'::text[]) order by id, segment`); console.log(performance.now()-t0); if(i==2) console.log(pl.map(r=>r['QUERY PLAN']).join('\n')); }
await sql.end(); stop.abort(); await run; await db.close(); await pg.stop();
