import { startTestPostgres } from '@causeway/local';
import { rawGroupCommit, replicaPosts } from './durable.ts';
const pg = await startTestPostgres(); const url = await pg.createDatabase();
console.log('raw', (await rawGroupCommit(url, 60000)).text);
for (let i=0;i<3;i++) console.log('replica', (await replicaPosts(url, 30000)).text);
await pg.stop();
