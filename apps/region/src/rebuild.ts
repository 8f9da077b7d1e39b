import { rebuildViews } from '@causeway/replica';
import { openPostgres } from '@causeway/store';
import type { Config } from './config/read.ts';
import { time } from './real-time.ts';

/**
 * Builds the views of every zone of this region anew from its log, while the servers of the region
 * go on or stand still, and writes how far that is. Rejects when the database does not answer;
 * what is rebuilt when the signal fires goes on by itself as soon as a server runs.
 */
export async function rebuildRegion(
  config: Config,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const database = await openPostgres(config.postgres, { region: config.region });
  try {
    for (const { zone } of config.zones) {
      if (signal.aborted) return;
      let said = '';
      const progress = ({ position, rebuildTo }: { position: number; rebuildTo: number }): void => {
        const line = `${zone}: ${counted(Math.min(position, rebuildTo))} of ${counted(rebuildTo)} commits`;
        if (line !== said) say(line);
        said = line;
      };
      const failed = (error: unknown): void => say(`${zone}: ${String(error)}; trying again`);
      await rebuildViews(database.zone(zone), time, { progress, failed }, signal);
    }
  } finally {
    await database.close();
  }
}

const counted = (count: number): string => count.toLocaleString('en');
