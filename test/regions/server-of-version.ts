import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { dirname, join } from 'node:path';

/**
 * The server of a region that may be one of a later version: beside its manifest a file `version`
 * says which. Its source is this one's, but for the number that it reads up to and writes everything in.
 */
const version = versionOf(dirname(process.env['CAUSEWAY_CONFIG']!));
if (version !== undefined)
  registerHooks({
    load(url, context, next) {
      const loaded = next(url, context);
      if (!url.endsWith('/packages/protocol/src/versions.ts')) return loaded;
      const source = loaded
        .source!.toString()
        .replaceAll(/(ENVELOPE|FIRST|CHANGE)_VERSION = \d+/g, `$1_VERSION = ${version}`);
      return { ...loaded, source };
    },
  });
await import(new URL('../../apps/region/src/main.ts', import.meta.url).href);

function versionOf(folder: string): string | undefined {
  try {
    return /^\d+$/.exec(readFileSync(join(folder, 'version'), 'utf8'))?.[0];
  } catch {
    return undefined;
  }
}
