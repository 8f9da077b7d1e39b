import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startChild } from '../child.ts';
import { WorldError } from '../error.ts';

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
const WEB = join(ROOT, 'apps/web');

/** The built page. */
export const PAGE_FOLDER = join(WEB, 'dist');

const SOURCES = [
  'apps/web/src',
  'apps/web/index.html',
  ...['client', 'protocol', 'replica'].map((name) => `packages/${name}/src`),
];

export const pageIsBuilt = (): boolean => existsSync(join(PAGE_FOLDER, 'index.html'));

/** Whether the page is there to be built and its build is missing or older than its sources. */
export function pageIsStale(): boolean {
  if (!existsSync(join(WEB, 'src')) || !isBuiltByVite()) return false;
  const built = statSync(join(PAGE_FOLDER, 'index.html'), { throwIfNoEntry: false })?.mtimeMs;
  return built === undefined || SOURCES.some((source) => newest(join(ROOT, source)) > built);
}

/** Builds the page; what vite says goes to `log`. Fails with the place of that log. */
export async function buildPage(log: string, signal: AbortSignal): Promise<void> {
  const vite = createRequire(join(WEB, 'package.json')).resolve('vite/package.json');
  const child = await startChild({
    name: 'vite',
    command: process.execPath,
    args: [join(dirname(vite), 'bin/vite.js'), 'build'],
    cwd: WEB,
    // Whatever a test runner calls itself: what is built stays, and is what people see.
    env: { NODE_ENV: 'production' },
    log,
  });
  const stop = (): void => void child.kill();
  signal.addEventListener('abort', stop, { once: true });
  const { code } = await child.exited;
  signal.removeEventListener('abort', stop);
  signal.throwIfAborted();
  if (code !== 0) throw new WorldError(`The page could not be built; vite's words are in ${log}`);
}

function isBuiltByVite(): boolean {
  const text = readFileSync(join(WEB, 'package.json'), 'utf8');
  const { scripts } = JSON.parse(text) as { scripts?: Record<string, string> };
  return scripts?.['build']?.includes('vite build') ?? existsSync(join(WEB, 'vite.config.ts'));
}

/** The youngest file under `path`, in milliseconds since 1970; 0 when there is none. */
function newest(path: string): number {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return 0;
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(0, ...readdirSync(path).map((name) => newest(join(path, name))));
}
