import { ENVELOPE_VERSION, decodeEntry, nameOfEntry, type Version } from '@causeway/protocol';
import { isRow, readRow } from './receiver.ts';
import { Refused, type Committed, type Row, type Store } from './ports.ts';

export type UnparkEvents = {
  applied(rows: readonly Row[], result: Committed): void;
  own(rows: readonly Row[]): Promise<Row[]>;
  /** A peer has this version of a strong log in force. */
  changed(version: Version): void;
};

/** Rows in one transaction. */
const AT_ONCE = 200;

/**
 * After an upgrade: applies what an older version of this program could not read. Returns how
 * many messages that were; what was not kept for want of room comes by repair.
 */
export async function unpark(store: Store, events: UnparkEvents): Promise<number> {
  let count = 0;
  for (;;) {
    const parked = await store.parked(ENVELOPE_VERSION, AT_ONCE);
    if (parked.length === 0) return count;
    for (const [peer, messages] of Map.groupBy(parked, ({ peer }) => peer)) {
      const rows = messages.flatMap(({ name, bytes }) => {
        const decoded = decodeEntry(bytes);
        if (decoded.ok && decoded.entry.kind === 'change' && nameOfEntry(decoded.entry) === name)
          events.changed(decoded.entry.version);
        const row = decoded.ok && isRow(decoded.entry, name) ? readRow(decoded.entry) : undefined;
        return row === undefined ? [] : [row];
      });
      const unparked = messages.map(({ id }) => id);
      try {
        const batch = { peer, rows, own: await events.own(rows), parked: [], unparked };
        events.applied(rows, await store.apply(batch));
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        // Data that the database cannot take: repair fetches what of it can be had.
        await store.apply({ peer, rows: [], own: [], parked: [], unparked });
      }
      count += messages.length;
    }
  }
}
