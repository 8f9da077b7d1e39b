import type { World } from '@causeway/local';
import { isDocument, parseName, type Cell, type Message } from '@causeway/protocol';
import { canonicalState, documentDigest, scopeDigest } from '@causeway/replica';
import type * as Y from 'yjs';
import { reencoded } from '../regions/documents.ts';
import { Speaker } from '../regions/speaker.ts';
import type { RegionDatabase } from './databases.ts';

/** What one server process shows to those who ask. */
export type Shown = {
  /** Region and number of the process, for messages. */
  who: string;
  /** By channel, newest first. */
  messages: Map<string, Message[]>;
  /** Some documents as the sync door serves them, base64 of their canonical states. */
  documents: Map<string, string>;
};

/** Everything that one region holds and shows, read back when all is quiet. */
export type Held = {
  region: string;
  documents: Map<string, Y.Doc>;
  /** Canonical states of the documents. */
  states: Map<string, Buffer>;
  /** By scope and key, with a blank between. */
  cells: Map<string, Cell>;
  /** By channel's scope and id. */
  view: Map<string, Message>;
  /** Names whose digest in the table of states is not that of what is there. */
  wrongDigests: string[];
  shown: Shown[];
};

/** Segments of each channel, the newest, that are read through every process. */
const SEGMENTS = 2;
const SERVED_WITHIN_MS = 30_000;

export async function readBack(
  world: World,
  databases: readonly RegionDatabase[],
  { token, workspace, channels }: { token: string; workspace: string; channels: readonly string[] },
): Promise<Held[]> {
  const held: Held[] = [];
  for (const database of databases) {
    const documents = await database.documents();
    const cells = await database.cells();
    const states = new Map([...documents].map(([name, doc]) => [name, Buffer.from(canonicalState(doc))]));
    const shown: Shown[] = [];
    for (const [at, url] of world.regions[database.region]!.urls.entries())
      shown.push({
        who: `${database.region}#${at + 1}`,
        messages: await messagesOf(url, token, workspace, channels),
        documents: await served(url, token, someOf([...documents.keys()])),
      });
    held.push({
      region: database.region,
      documents,
      states,
      cells: new Map(cells.map((cell) => [`${cell.scope} ${cell.key}`, cell])),
      view: await database.view(),
      wrongDigests: wrongDigests(await database.digests(), documents, cells),
      shown,
    });
  }
  return held;
}

async function messagesOf(
  url: string,
  token: string,
  workspace: string,
  channels: readonly string[],
): Promise<Shown['messages']> {
  const messages: Shown['messages'] = new Map();
  for (const channel of channels)
    messages.set(channel, await new Speaker(url, token, workspace, channel).everything());
  return messages;
}

async function served(url: string, token: string, names: readonly string[]): Promise<Map<string, string>> {
  const documents = new Map<string, string>();
  for (const name of names) {
    const late = AbortSignal.timeout(SERVED_WITHIN_MS);
    const never = new Promise<string>((resolve) =>
      late.addEventListener('abort', () => resolve('not served'), { once: true }),
    );
    documents.set(name, await Promise.race([reencoded(url, name, token), never]));
  }
  return documents;
}

/** Canvases, and the newest segments of each channel: what processes have in memory. */
function someOf(names: readonly string[]): string[] {
  const canvases = names.filter((name) => parseName(name)?.kind === 'canvas');
  const segments = names.flatMap((name) => {
    const parsed = parseName(name);
    return parsed?.kind === 'segment' ? [{ name, ...parsed }] : [];
  });
  const newest = [...Map.groupBy(segments, ({ channel }) => channel).values()].flatMap((group) =>
    group.sort((a, b) => b.segment - a.segment).slice(0, SEGMENTS),
  );
  return [...canvases, ...newest.map(({ name }) => name)];
}

function wrongDigests(
  kept: ReadonlyMap<string, bigint>,
  documents: ReadonlyMap<string, Y.Doc>,
  cells: readonly Cell[],
): string[] {
  const scopes = Map.groupBy(cells, ({ scope }) => scope);
  return [...kept].flatMap(([name, digest]) => {
    const doc = documents.get(name);
    const is = isDocument(name)
      ? doc !== undefined && documentDigest(name, doc) === digest
      : scopeDigest(name, scopes.get(name) ?? []) === digest;
    return is ? [] : [name];
  });
}
