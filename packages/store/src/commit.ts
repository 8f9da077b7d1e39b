import { compareText } from '@causeway/protocol';
import type { ApplyBatch, AuthoredIn, Committed, OutboxRow, Row, Untidy } from '@causeway/replica';
import { booleanArray, bytesArray, numberArray, textArray } from './array-literal.ts';
import {
  effectsOf,
  type Authored,
  type SegmentChange,
  type StateChange,
  type StoredCell,
  type Touched,
} from './batch.ts';
import { COMMIT } from './commit.sql.ts';
import type { Connection } from './connection.ts';
import { cellsToText } from './outbox-text.ts';

/** What apply adds to an append. */
export type Receipt = Pick<ApplyBatch, 'peer' | 'cursor' | 'parked' | 'unparked'>;

/** Commits a batch in one transaction; see commit.sql.ts for what holds among concurrent ones. */
export async function commit(
  connection: Connection,
  zone: string,
  batch: readonly Authored[],
  receipt?: Receipt,
): Promise<Committed> {
  const { cells, segments, touched, states } = effectsOf(batch);
  const [answer] = await connection.query(COMMIT, [
    zone,
    ...rowParameters(batch),
    ...touchedParameters(touched),
    ...cellParameters(cells),
    ...segmentParameters(segments),
    ...receiptParameters(receipt),
    ...stateParameters(states),
    numberArray(receipt?.unparked ?? []),
  ]);
  return {
    outbox: numbered(batch, answer!['seqs'] as string | null),
    untidy: marks(answer!['untidy']),
    commit: Number(answer!['commit']),
    authored: totals(segments, answer!['counted']),
    ...(answer!['unkept'] === true ? { unkept: true } : {}),
  };
}

function rowParameters(batch: readonly Authored[]): string[] {
  const entries = batch.map(({ row }) => row.entry);
  return [
    textArray(entries.map((entry) => (entry.kind === 'update' ? entry.name : entry.scope))),
    bytesArray(entries.map((entry) => (entry.kind === 'update' ? entry.bytes : null))),
    textArray(entries.map((entry) => (entry.kind === 'update' ? (entry.member ?? null) : null))),
    textArray(entries.map((entry) => (entry.kind === 'cells' ? cellsToText(entry.cells) : null))),
    booleanArray(batch.map(({ own }) => own)),
  ];
}

function touchedParameters(touched: readonly Touched[]): string[] {
  const sets = (of: (message: Touched) => Set<number>): string =>
    textArray(touched.map((message) => numberArray([...of(message)])));
  return [
    textArray(touched.map(({ channel }) => channel)),
    textArray(touched.map(({ id }) => id)),
    sets(({ posted }) => posted),
    sets(({ posted, edited }) => posted.union(edited)),
    sets(({ deleted }) => deleted),
    booleanArray(touched.map(({ deletedByPeer }) => deletedByPeer)),
  ];
}

const cellParameters = (cells: readonly StoredCell[]): string[] => [
  textArray(cells.map(({ scope }) => scope)),
  textArray(cells.map(({ key }) => key)),
  textArray(cells.map(({ v }) => v)),
  textArray(cells.map(({ text }) => text)),
  booleanArray(cells.map(({ own }) => own)),
];

const segmentParameters = (segments: readonly SegmentChange[]): string[] => [
  textArray(segments.map(({ channel }) => channel)),
  numberArray(segments.map(({ segment }) => segment)),
  numberArray(segments.map(({ posts }) => posts)),
  numberArray(segments.map(({ bytes }) => bytes)),
  numberArray(segments.map(({ operations }) => operations)),
  textArray(segments.map(({ first }) => first ?? null)),
  textArray(segments.map(({ last }) => last ?? null)),
];

const receiptParameters = (receipt: Receipt | undefined): (string | null)[] => [
  receipt?.peer ?? null,
  receipt?.cursor?.incarnation ?? null,
  receipt?.cursor?.sequence.toString() ?? null,
  receipt?.cursor?.messageId ?? null,
  textArray((receipt?.parked ?? []).map(({ name }) => name)),
  numberArray((receipt?.parked ?? []).map(({ version }) => version)),
  bytesArray((receipt?.parked ?? []).map(({ bytes }) => bytes)),
];

const stateParameters = (states: readonly StateChange[]): string[] => [
  textArray(states.map(({ name }) => name)),
  numberArray(states.map(({ bucket }) => bucket)),
  numberArray(states.map(({ rows }) => rows)),
  numberArray(states.map(({ bytes }) => bytes)),
];

function numbered(batch: readonly Authored[], seqs: string | null): OutboxRow[] {
  const numbers = seqs?.split(',') ?? [];
  return batch
    .filter(({ own }) => own)
    .map(({ row }, at) => ({ seq: Number(numbers[at]), entry: row.entry }));
}

function marks(found: unknown): Untidy[] {
  return ((found ?? []) as [string, string, number][])
    .map(([channel, id, mark]) => ({ channel, id, mark }))
    .sort((a, b) => compareText(a.channel, b.channel) || compareText(a.id, b.id));
}

/** The totals of those segments that own rows were written into. */
function totals(changes: readonly SegmentChange[], counted: unknown): AuthoredIn[] {
  const own = new Set(changes.filter((change) => change.own).map(placeOf));
  return ((counted ?? []) as [string, number, number, number, number][])
    .map(([channel, segment, posts, bytes, operations]) => ({ channel, segment, posts, bytes, operations }))
    .filter((row) => own.has(placeOf(row)))
    .sort((a, b) => compareText(a.channel, b.channel) || a.segment - b.segment);
}

const placeOf = ({ channel, segment }: { channel: string; segment: number }): string =>
  `${channel}\n${segment}`;

export const ownRows = (rows: readonly Row[]): Authored[] => rows.map((row) => ({ row, own: true }));
export const peerRows = (rows: readonly Row[]): Authored[] => rows.map((row) => ({ row, own: false }));
