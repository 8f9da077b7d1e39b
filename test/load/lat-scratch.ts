import { findBasePort, startWorld } from '@causeway/local';
import { Speaker } from '../regions/speaker.ts';
import { connectDocument } from '../regions/documents.ts';
import * as Y from 'yjs';
import { mkdtempSync } from 'node:fs';
const D=Number(process.argv[2]??2);
const home=mkdtempSync('/tmp/lat-');
const w=await startWorld({home,basePort:await findBasePort(),regions:['us-east','eu-west'],delays:()=>D,supervise:false});
const token=await w.token('ada'); const s=new Speaker(w.regions['us-east']!.url,token);
await s.post('first');
await new Promise(r=>setTimeout(r,1500));
const doc=new Y.Doc(); const p=connectDocument(doc,w.regions['eu-west']!.url,'demo/segment/general/1',token); await new Promise<void>(r=>p.once('sync',()=>r()));
const a:number[]=[],b:number[]=[];
for(let i=0;i<100;i++){ const t0=performance.now(); let t2=0; const seen=new Promise<void>(r=>doc.once('update',()=>{t2=performance.now();r();})); await s.post('m'+i); const t1=performance.now(); await seen; a.push(t1-t0); b.push(t2-t0); await new Promise(r=>setTimeout(r,5)); }
const q=(x:number[],f:number)=>x.sort((m,n)=>m-n)[Math.floor(x.length*f)]!.toFixed(1);
console.log('ack p50/p99',q(a,.5),q(a,.99),'seen',q(b,.5),q(b,.99));
p.destroy(); await w.stop();
