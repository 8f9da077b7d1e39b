import { setTimeout as sleep } from 'node:timers/promises';
import type { Time } from '@causeway/replica';

/** Time of the real world. */
export const time: Time = {
  now: () => Date.now(),
  sleep: (ms, signal) => sleep(ms, undefined, signal === undefined ? {} : { signal }).catch(() => undefined),
};
