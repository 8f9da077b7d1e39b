import { mkdirSync, readFileSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** A log longer than this, in bytes, is set aside at the next start; the one set aside before goes. */
const MAX_LOG_BYTES = 20 * 1024 * 1024;

/** The path of a part's log, not longer than the bound when the part starts. */
export function openLog(home: string, name: string): string {
  const folder = join(home, 'logs');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${name}.log`);
  const bytes = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  if (bytes > MAX_LOG_BYTES) renameSync(file, `${file}.1`);
  return file;
}

/** The end of a log, for an error message; empty when there is none. */
export function lastLines(file: string, lines: number): string {
  try {
    return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
  } catch {
    return '';
  }
}
