import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import * as Y from 'yjs';
import { holds } from './holds.ts';
import { steps, updatesOf } from './random-edits.ts';

it('a document holds an update exactly when applying it changes nothing', () => {
  fc.assert(
    fc.property(steps, fc.nat(40), (taken, count) => {
      const updates = updatesOf(taken);
      const doc = new Y.Doc();
      for (const update of updates.slice(0, count)) Y.applyUpdate(doc, update);
      doc.store.pendingStructs = null;
      doc.store.pendingDs = null;
      for (const update of updates) {
        const before = Y.encodeStateAsUpdate(doc);
        const copy = new Y.Doc();
        Y.applyUpdate(copy, before);
        Y.applyUpdate(copy, update);
        const isPending = copy.store.pendingStructs !== null || copy.store.pendingDs !== null;
        const isSame = !isPending && Y.encodeStateAsUpdate(copy).join() === Y.encodeStateAsUpdate(doc).join();
        expect(holds(doc, update)).toBe(isSame);
      }
    }),
    { numRuns: 100 },
  );
});
