import { World } from './world.ts';
const w = new World({ regions: ['us'] });
for (const n of [500, 2000]) {
  const t0 = performance.now();
  await Promise.all(
    Array.from({ length: n }, (_, i) => w.at('us').execute(w.post(`x${i}`, { channel: 'c' + n }))),
  );
  console.log(n, performance.now() - t0);
}
w.close();
