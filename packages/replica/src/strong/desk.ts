import { encodeTalk, readQuestion, type Talk, type Version } from '@causeway/protocol';
import type { StrongStore } from './ports.ts';

/** Versions of one answer: so many, or what makes it larger than this. */
const APPLIED = 200;
const ANSWER_BYTES = 1024 * 1024;
/** Of a chain of prepared versions: the home region goes on only from what it has applied itself. */
const HELD = 20;

type Parts = {
  store: StrongStore;
  /** The workspaces of the zone: what peers say about others is not kept (R12). */
  workspaces: ReadonlySet<string>;
  change(question: Uint8Array): Promise<Uint8Array>;
  directory(question: Uint8Array): Promise<Uint8Array>;
};

/** Answers what other regions ask about strong logs. */
export function answerTalk(parts: Parts, talk: Talk, question: Uint8Array): Promise<Uint8Array> {
  switch (talk) {
    case 'prepare':
      return answerPrepare(parts, question);
    case 'changes':
      return answerChanges(parts.store, question);
    case 'heads':
      return parts.store.strongHeads().then(encodeTalk);
    case 'change':
      return parts.change(question);
    case 'directory':
      return parts.directory(question);
  }
}

async function answerPrepare({ store, workspaces }: Parts, question: Uint8Array): Promise<Uint8Array> {
  const { version } = readQuestion('prepare', question);
  if (!workspaces.has(version.workspace)) throw new Error('a workspace that is not of this zone');
  return encodeTalk(await store.prepare(version));
}

async function answerChanges(store: StrongStore, question: Uint8Array): Promise<Uint8Array> {
  const { workspace, after, digest } = readQuestion('changes', question);
  const applied = portionOf(await store.strongVersions(workspace, after, APPLIED));
  const held: Version[] = [];
  const last = applied.at(-1)?.version ?? after;
  for (let next = digest; next !== undefined && held.length < HELD;) {
    const version: Version | undefined = await store.heldVersion(workspace, next);
    if (version === undefined || version.version <= last) break;
    held.unshift(version);
    next = version.before;
  }
  return encodeTalk({ applied, held });
}

function portionOf(versions: readonly Version[]): Version[] {
  let bytes = 0;
  const end = versions.findIndex((version) => (bytes += JSON.stringify(version).length) > ANSWER_BYTES);
  return versions.slice(0, end === -1 ? versions.length : Math.max(1, end));
}
