import { directoryContract } from './contract-directory.ts';
import { MemoryDirectory } from './memory-directory.ts';
import { MemoryNetwork } from './memory-network.ts';
import { VirtualTime } from './virtual-time.ts';

directoryContract('in memory', async () => {
  const time = new VirtualTime();
  const regions = ['us', 'eu', 'ap'];
  const network = new MemoryNetwork({ time, regions, delayMs: 20 });
  const directory = new MemoryDirectory({ network, members: regions, time });
  return { regions: regions.map((region) => directory.at(region)), close: () => Promise.resolve() };
});
