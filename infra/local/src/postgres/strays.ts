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
    const wanted = readNote(join(folder, note));
    if (wanted === undefined || existsSync(dirname(wanted)) || runningIn(dataFolder) !== undefined) continue;
    rmSync(dataFolder, { recursive: true, force: true });
    rmSync(join(folder, note), { force: true });
  }
}

/** `undefined` when another launcher has just removed it. */
function readNote(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
