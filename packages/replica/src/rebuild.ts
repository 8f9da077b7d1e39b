import { Cells } from './cells.ts';
import { Documents } from './documents.ts';
import type { Store, Time, ViewState } from './ports.ts';
import { Projector } from './projector.ts';
import { Tail } from './tail.ts';

const LOOK_EVERY_MS = 250;

export type RebuildEvents = {
  progress(state: ViewState): void;
  /** A step failed and is tried again. */
  failed(error: unknown): void;
};

/**
 * Builds the views anew from the log, in place: readers see the old rows until they are replaced.
 * The work is done by the projector of the region's servers or, while none of them has that role,
 * here. Resolves when the view has passed all that was committed before the call; rejects with the store's error.
 */
export async function rebuildViews(
  store: Store,
  time: Time,
  events: RebuildEvents,
  signal: AbortSignal,
): Promise<void> {
  const over = new AbortController();
  const either = AbortSignal.any([signal, over.signal]);
  await store.rebuildViews();
  const projecting = standBy(store, time, events, either);
  try {
    while (!signal.aborted) {
      const state = await store.viewState();
      events.progress(state);
      if (state.position >= state.rebuildTo) return;
      await time.sleep(LOOK_EVERY_MS, signal);
    }
  } finally {
    over.abort();
    await projecting;
  }
}

/** A projector that serves nobody: nothing is ever uncommitted in its memory. */
async function standBy(
  store: Store,
  time: Time,
  { failed }: RebuildEvents,
  signal: AbortSignal,
): Promise<void> {
  const documents: Documents = new Documents({
    load: async (name) => {
      await tail.started();
      return store.loadDocument(name);
    },
    isBusy: () => false,
    quarantine: (_name, bytes) => failed(new Error(`a document of ${bytes} bytes is too large to be read`)),
    now: () => time.now(),
  });
  const tail: Tail = new Tail(
    { store, documents, cells: new Cells(store), time },
    { brought: () => undefined, changed: () => undefined },
  );
  const projector = new Projector(
    {
      store,
      documents,
      time,
      settled: () => Promise.resolve(),
      reach: (commit) => tail.reach(commit),
    },
    { passed: () => undefined, failed },
  );
  while (!signal.aborted) {
    await store
      .lead('projector', (leading) => projector.run(AbortSignal.any([leading, signal])), signal)
      .catch(() => undefined);
    await time.sleep(LOOK_EVERY_MS, signal);
  }
}
