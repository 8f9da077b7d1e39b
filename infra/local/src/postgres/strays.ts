import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { runningIn } from './predecessor.ts';
import { workshop } from './workshop.ts';

const ORIGIN = '.origin';

/** Notes for which folder a data folder in the workshop stands in. */
export function noteOrigin(dataFolder: string, wanted: string): void {
  writeFileSync(`${dataFolder}${ORIGIN}`, wanted);
}

/** Removes data folders from the workshop whose own place is gone, as when somebody deleted a whole world. */
export function removeStrays(): void {
  const folder = workshop();
  for (const note of readdirSync(folder).filter((name) => name.endsWith(ORIGIN))) {
    const dataFolder = join(folder, note.slice(0, -ORIGIN.length));
    if (existsSync(dirname(readFileSync(join(folder, note), 'utf8'))) || runningIn(dataFolder) !== undefined)
      continue;
    rmSync(dataFolder, { recursive: true, force: true });
    rmSync(join(folder, note), { force: true });
  }
}
