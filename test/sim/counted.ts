import { mentionsIn, type Message } from '@causeway/protocol';
import type { Countable, Store, ThreadRow } from '@causeway/replica';
import * as Y from 'yjs';

/** What a view says beside its messages, in one order. */
export type Counted = { countables: Countable[]; threads: ThreadRow[] };

/** The same from the documents and the messages that are shown, without the code that projects. */
export function countedFrom(segments: ReadonlyMap<number, Y.Doc>, messages: readonly Message[]): Counted {
  const copies = new Map<string, Countable['copies'][number][]>();
  for (const [segment, doc] of segments)
    for (const [key, item] of doc.getMap('m')._map) {
      if (item.deleted) continue;
      const id = key.slice(0, key.indexOf('|'));
      const { client, clock } = item.id;
      copies.set(id, [...(copies.get(id) ?? []), { segment, client, clock: clock + 1 }]);
    }
  const threads = Map.groupBy(
    messages.filter(({ thread }) => thread !== undefined),
    ({ thread }) => thread!,
  );
  return sorted({
    countables: messages
      .filter(({ thread, also }) => thread === undefined || also === true)
      .map(({ id, t, author, body }) => ({
        id,
        t,
        author,
        mentions: mentionsIn(body),
        copies: copies.get(id) ?? [],
      })),
    threads: [...threads].map(([root, replies]) => ({
      root,
      replies: replies.length,
      last: replies
        .map(({ t }) => t)
        .sort()
        .at(-1)!,
      participants: [...new Set(replies.map(({ author }) => author))],
    })),
  });
}

/** What the view says of these messages. */
export async function countedIn(
  store: Pick<Store, 'countables' | 'viewThreads'>,
  channel: string,
  messages: readonly Message[],
): Promise<Counted> {
  const roots = messages.flatMap(({ thread }) => thread ?? []);
  const countables = await store.countables([{ channel, from: 0 }], 100_000);
  return sorted({
    countables: countables.map(({ id, t, author, mentions, copies }) => ({
      id,
      t,
      author,
      mentions,
      copies,
    })),
    threads: await store.viewThreads(channel, roots, 1_000),
  });
}

function sorted({ countables, threads }: Counted): Counted {
  return {
    countables: countables
      .map((countable) => ({
        ...countable,
        copies: countable.copies.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)),
      }))
      .sort((a, b) => (a.id < b.id ? -1 : 1)),
    threads: threads
      .map((thread) => ({ ...thread, participants: thread.participants.toSorted() }))
      .sort((a, b) => (a.root < b.root ? -1 : 1)),
  };
}
