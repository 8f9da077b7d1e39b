import type { Client } from '@causeway/client';
import { useEffect } from 'react';

/** Nobody touched anything for so long, milliseconds. */
const IDLE_MS = 10 * 60_000;

/** Tells the region when the person has left the screen, and when they are back. */
export function useIdle(client: Client): void {
  useEffect(() => {
    let isIdle = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const tell = (idle: boolean): void => {
      if (idle === isIdle) return;
      isIdle = idle;
      client.setIdle(idle);
    };
    const touched = (): void => {
      clearTimeout(timer);
      timer = setTimeout(() => tell(true), IDLE_MS);
      tell(document.hidden);
    };
    touched();
    const events = ['pointermove', 'keydown', 'visibilitychange'];
    for (const event of events) document.addEventListener(event, touched, { passive: true });
    return () => {
      clearTimeout(timer);
      for (const event of events) document.removeEventListener(event, touched);
    };
  }, [client]);
}
