import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { BUGS, type Bug } from './bugs.ts';

const ROOT = new URL('../../../', import.meta.url);

/** Files that the bug changes, by URL, with their new source. Throws when the source is not what the bug expects. */
export function sourcesOf({ name, patches }: Bug): Map<string, string> {
  const sources = new Map<string, string>();
  for (const { file, find, replace } of patches) {
    const url = new URL(file, ROOT).href;
    const source = sources.get(url) ?? readFileSync(new URL(url), 'utf8');
    const count = source.split(find).length - 1;
    if (count !== 1)
      throw new Error(`patch out of date: ${name} finds its place ${count} times in ${file}: ${find}`);
    sources.set(
      url,
      source.replace(find, () => replace),
    );
  }
  return sources;
}

/** Loads the system with a bug in it. To be called before anything of it is imported, in this thread. */
export function patch(name: string): void {
  const bug = BUGS.find((bug) => bug.name === name);
  if (bug === undefined) throw new Error(`there is no bug ${name}`);
  const sources = sourcesOf(bug);
  registerHooks({
    load: (url, context, next) => {
      const source = sources.get(url);
      return source === undefined
        ? next(url, context)
        : { format: 'module-typescript', source, shortCircuit: true };
    },
  });
}
