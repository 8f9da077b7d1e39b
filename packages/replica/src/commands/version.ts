import {
  CausewayError,
  LIMITS,
  aboutScope,
  parseName,
  versionName,
  type CanvasVersion,
  type CommandOf,
  type Token,
} from '@causeway/protocol';
import * as Y from 'yjs';
import { mayNot } from '../canvas-rights.ts';
import { cellsEntry, type Cells } from '../cells.ts';
import { hybridFromText, hybridOf, millisOf, orderOf } from '../hybrid-time.ts';
import { integrateOrReturn } from '../integrate.ts';
import type { Answer, Context } from './context.ts';
import { checkRoom, checkTitle, type Room, type Seen } from './set.ts';

export const versionKey = (version: string): string => `version|${version}`;
export const restoredKey = (command: string): string => `restored|${command}`;

const ROOM: Room = { prefix: 'version|', inUse: LIMITS.versionsPerCanvas, what: 'versions of a canvas' };

/**
 * Keeps a canvas as it is in this region: a whole copy of it, as a document that nobody writes again,
 * and a cell that names it, in one transaction. Asked of two regions at once both copy what they
 * have; the copies are of one history, and so is their union.
 */
export async function version(context: Context, id: string, command: CommandOf<'version'>): Promise<Answer> {
  const { workspace, canvas, member, v } = command;
  const title = checkTitle(command.title, 'a title');
  if ((await context.rights.of(workspace, canvas, member)) !== 'edit') throw mayNot('keep versions of it');
  const scope = aboutScope(workspace, canvas);
  const held = await context.cells.open(scope);
  const order = orderOf(v, id);
  const name = versionName(workspace, canvas, id);
  const live = await context.documents.open(name);
  const answer = (doc: Y.Doc): Answer => ({
    id,
    token: [{ scope, key: versionKey(id), v: order }, ...positionOf(name, doc)],
  });
  if (held.has(versionKey(id))) {
    await mustBeCopied(context.cells, name, live.doc);
    return answer(live.doc);
  }

  const copy = await copyOf(context, workspace, canvas);
  const kept = millisOf(context.clock.read());
  const value: CanvasVersion = { title, by: member, at: millisOf(v), bytes: copy.length, kept };
  const change = { key: versionKey(id), v: order, value };
  return context.queue.run<Answer>({
    key: name,
    live,
    size: copy.length,
    author: (live) => {
      const seen = context.ahead.over(scope, held);
      if (seen.has(change.key)) return { answer: answer(live!.doc) };
      context.clock.admit(v, 0);
      checkRoom(change, seen, ROOM);
      checkRate(seen, context.clock.read());
      if (copy.length > 0) integrateOrReturn(live!.doc, copy, 'repair');
      return {
        answer: answer(live!.doc),
        cells: [cellsEntry(scope, change)],
        over: context.ahead.add(scope, [change]),
      };
    },
  });
}

/** A copy comes as a whole, so one of its authors stands for all of them. */
function positionOf(document: string, doc: Y.Doc): Token {
  const [client] = doc.store.clients.keys();
  return client === undefined ? [] : [{ document, client, clock: Y.getState(doc.store, client) }];
}

/** A canvas as it is committed here; no bytes for an empty one. */
async function copyOf(context: Context, workspace: string, canvas: string): Promise<Uint8Array> {
  const name = await context.generations.currentName(workspace, canvas);
  const check = await context.generations.guard(name);
  const { doc } = await context.documents.open(name);
  check(doc);
  // The copy in memory may be ahead of the log by the commit in flight: encoded first, then its fate shared.
  const copy = isEmpty(doc) ? new Uint8Array() : Y.encodeStateAsUpdate(doc);
  await context.queue.settled(name);
  return copy;
}

/**
 * Rejects with `not-here-yet` for a version of which this region has no copy: the cell that names it may
 * come first, and a copy that is larger than a message comes by repair.
 */
export async function mustBeCopied(cells: Cells, name: string, doc: Y.Doc): Promise<void> {
  const parsed = parseName(name);
  if (parsed?.kind !== 'version' || !isEmpty(doc)) return;
  const about = await cells.open(aboutScope(parsed.workspace, parsed.canvas));
  const known = about.get(versionKey(parsed.version))?.value as CanvasVersion | undefined;
  if (known?.bytes !== 0)
    throw new CausewayError('not-here-yet', 'this region does not have the version (yet)', { retryAfter: 1 });
}

export const isEmpty = (doc: Y.Doc): boolean => doc.store.clients.size === 0;

/**
 * Versions and restores are whole copies: so many of a canvas in a minute, by the times at which regions made
 * them. Their `v` is what a client says, who may say that it was long ago.
 */
export function checkRate(seen: Seen, now: number): void {
  const since = now - hybridOf(60_000);
  let recent = 0;
  for (const [key, { v, value }] of seen) {
    if (!key.startsWith('version|') && !key.startsWith('restored|')) continue;
    const { kept } = value as { kept?: number };
    if ((kept === undefined ? hybridFromText(v) : hybridOf(kept)) > since) recent++;
  }
  if (recent >= LIMITS.versionsPerMinute)
    throw new CausewayError(
      'rate-limited',
      `a canvas gets ${LIMITS.versionsPerMinute} versions and restores in a minute`,
      { retryAfter: 60 },
    );
}
