import {
  CausewayError,
  LIMITS,
  aboutScope,
  contentId,
  fromBase64url,
  versionName,
  type CanvasVersion,
  type CommandOf,
  type Token,
} from '@causeway/protocol';
import * as Y from 'yjs';
import { mayNot } from '../canvas-rights.ts';
import { cellsEntry } from '../cells.ts';
import { documentDigest } from '../digest.ts';
import { millisOf, orderOf } from '../hybrid-time.ts';
import { integrateOrReturn } from '../integrate.ts';
import type { LiveDocument } from '../live-document.ts';
import type { Store, Time } from '../ports.ts';
import { restoreUpdate } from '../restore-content.ts';
import type { Answer, Context } from './context.ts';
import { checkRoom, type Room } from './set.ts';
import { checkRate, isEmpty, restoredKey, versionKey } from './version.ts';

export type RestoreParts = {
  context: Context;
  store: Pick<Store, 'lead' | 'lastCommit'>;
  time: Time;
  /** Brings memory level with all up to this commit. */
  reach(commit: number): Promise<boolean>;
};

const ROOM: Room = {
  prefix: restoredKey(''),
  ever: LIMITS.restoresPerCanvas,
  what: 'restores of a canvas',
};

/** How long a restore waits for another one of the same canvas, and how often it looks, milliseconds; whoever forwarded it waits for 5 s. */
const PATIENCE_MS = 3_000;
const LOOK_MS = 100;

/**
 * Gives a canvas the content of one of its versions, in the home region. One restore of a canvas at
 * a time, whichever processes are asked, and each on all that was committed before it: two at once
 * would both delete what stood and both write, and the text would stand there twice. The cell
 * `restored|<command>` is of the same transaction, and a repeat finds it.
 */
export async function restore(
  parts: RestoreParts,
  id: string,
  command: CommandOf<'restore'>,
): Promise<Answer> {
  const { time, store } = parts;
  const { workspace, canvas, member } = command;
  if ((await parts.context.rights.of(workspace, canvas, member)) !== 'edit') throw mayNot('restore it');
  const until = time.now() + PATIENCE_MS;
  const never = new AbortController();
  for (;;) {
    let answer: Answer | undefined;
    const work = async (leading: AbortSignal): Promise<void> => {
      answer = await restoreAlone(parts, id, command, { until, leading });
    };
    await store.lead(`restore ${workspace}/${canvas}`, work, never.signal);
    if (answer !== undefined) return answer;
    if (time.now() >= until)
      throw new CausewayError('not-ready', 'another version of this canvas is being restored; try again', {
        retryAfter: 1,
      });
    await time.sleep(LOOK_MS);
  }
}

async function restoreAlone(
  parts: RestoreParts,
  id: string,
  command: CommandOf<'restore'>,
  { until, leading }: { until: number; leading: AbortSignal },
): Promise<Answer> {
  const { context, time } = parts;
  const { workspace, canvas, version, member, v } = command;
  const scope = aboutScope(workspace, canvas);
  const name = await context.generations.currentName(workspace, canvas);
  const check = await context.generations.guard(name);
  // What other processes of this region wrote counts too.
  const last = await parts.store.lastCommit([name, scope]);
  while (!(await parts.reach(last))) {
    // A slow transaction holds back what can be read.
    if (time.now() >= until) throw behind();
    await time.sleep(LOOK_MS);
  }
  const held = await context.cells.open(scope);
  const change = {
    key: restoredKey(id),
    v: orderOf(v, id),
    value: { version, by: member, kept: millisOf(context.clock.read()) },
  };
  const token: Token = [{ scope, key: change.key, v: change.v }];
  if (held.has(change.key)) return { id, token };

  const then = await openVersion(context, command, held.get(versionKey(version))?.value);
  const live = await context.documents.open(name);
  return context.queue.run<Answer>({
    key: name,
    live,
    member,
    // As large as a canvas may be, for all that is known before it is computed.
    size: LIMITS.canvasBytes,
    author: (live) => {
      check(live!.doc);
      // The lock is lost: another process may be at it.
      if (leading.aborted) throw behind();
      // Of what is written now: another region's copy of the version may have come since it was opened.
      const content = contentAuthor(id, documentDigest(name, then));
      if (!held.has(change.key)) {
        context.clock.admit(v, 0);
        checkRoom(change, held, ROOM);
        checkRate(held, context.clock.read());
        write(live!, then, { content, keys: context.author() });
      }
      const clock = Y.getState(live!.doc.store, content);
      const position = clock === 0 ? [] : [{ document: name, client: content, clock }];
      return { answer: { id, token: [...token, ...position] }, cells: [cellsEntry(scope, change)] };
    },
  });
}

function write(live: LiveDocument, then: Y.Doc, clients: { content: number; keys: number }): void {
  const { update, bytesAfter } = restoreUpdate(live.doc, then, clients);
  if (bytesAfter > LIMITS.canvasBytes)
    throw new CausewayError(
      'document-too-large',
      `with this version the canvas would hold more than ${LIMITS.canvasBytes} bytes; delete something first`,
    );
  integrateOrReturn(live.doc, update, 'repair');
}

/** The version as this region has it. */
async function openVersion(
  context: Context,
  { workspace, canvas, version }: CommandOf<'restore'>,
  value: unknown,
): Promise<Y.Doc> {
  const { doc } = await context.documents.open(versionName(workspace, canvas, version));
  const known = value as CanvasVersion | undefined;
  if (known === undefined || (known.bytes > 0 && isEmpty(doc)))
    throw new CausewayError('not-here-yet', `version ${version} has not reached the home region; try again`, {
      retryAfter: 1,
    });
  return doc;
}

/**
 * The author of what a restore writes into sequences: 53 bits that are made of the command and of
 * what it restores. A copy of the version that has grown meanwhile (another region's came) makes
 * another author, never one clock with two contents.
 */
function contentAuthor(id: string, digest: bigint): number {
  const bytes = fromBase64url(contentId({ restore: id, content: digest.toString(16) })).subarray(0, 7);
  return bytes.reduce((number, byte, at) => (at === 0 ? byte & 31 : number * 256 + byte), 0);
}

const behind = (): CausewayError =>
  new CausewayError('not-ready', 'this process has not read all of the canvas yet; try again', {
    retryAfter: 1,
  });
